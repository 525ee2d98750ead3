"""The road of a record, private: one stage a file, one way, and only `wiring` knows the order.

    caller's thread                  │ listener thread                       │ sender threads
    handler ─ capture ─ bounded_queue┼▶ listener ─ router ─▶ assembler ─▶    │
       └ breadcrumbs  (or journal)   │     sampler ─▶ encoder ─▶ batcher ────┼▶ sender ─▶ cloud, workshop
                            spool ───┼▶ backlog ─▲                           │

Stages are siblings that never import one another; the values they hand on are in `entries`, and every way out is
counted in `stats`. `parts` reads the settings for them, `pipeline` is the life of one road, and `registry` knows all
pipelines of the process.

In: LogRecords that hold a block
Out: HTTP requests
Touches: nothing here; threads, clock, files and sockets are in bounded_queue, journal, spool, backlog, listener, sender
"""
