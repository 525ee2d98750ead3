"""The road of a record, private: one stage a file, one way, and only `wiring` knows the order.

    caller's thread                  │ listener thread                       │ sender threads
    handler ─ capture ─ bounded_queue┼▶ listener ─ router ─▶ assembler ─▶    │
                                     │     encoder ─▶ batcher ───────────────┼▶ sender ─▶ cloud, workshop

Stages are siblings that never import one another; the values they hand on are in `entries`, and every way out is
counted in `stats`.

In: LogRecords that hold a block
Out: HTTP requests
Touches: nothing here; threads, clock and sockets are in bounded_queue, listener and sender
"""
