"""The JSON API: its routes as one table, its answers as types, and the document that describes both."""
