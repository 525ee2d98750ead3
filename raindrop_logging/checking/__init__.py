"""What is wrong with a logging configuration, told before a service runs on it.

files ─ reading ─▶ Document ─▶ Configuration ─ structure, objects, handler_keys, routes, versions ─▶ Fault ─▶ Finding

Nothing of what is checked is imported or run; `rules` lists what is looked for.
"""
