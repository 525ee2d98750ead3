"""The store on SQLite: a file for each question, one writer."""
