"""What `raindrop-logging doctor` finds out: one file a question, each answering with `Check` values.

configured      what a process would be told, and by whom       surroundings    Python, libraries, variables
reach           whether the receiver can be reached, by steps   disk            whether a spool could be written
trial           one record of each type, by the real road       remedies        what to do about each failure
report          all of it as values without secrets; as text and as JSON
"""
