"""How fast it is, always as a ratio against something measured in the same run: ``python -m tests.benchmarks``.

`rows` is the table of what is promised, `measures` how each ratio is taken, `children` the programs that are measured,
`sink` the receiver that they send to and that counts what arrived.
"""
