"""The HTML pages: each a file, with what they share."""
