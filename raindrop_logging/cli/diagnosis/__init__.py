"""What `raindrop-logging doctor` finds out: one file a question, each answering with the values in `checks`.

configured    what a process would be told, and by whom        surroundings  Python, libraries, variables
reach         whether the receiver can be reached, by steps    certificate   the TLS handshake
trial         one record of each type, by the real road        sent          what its answers mean
disk          whether a spool could be written                 remedies      what to do about each failure
loggers       what is told meanwhile, and is no news           report        all of it without secrets, as text or JSON
"""
