"""Spans: each way to make one, what it says, where it nests, whose it is, and that nothing is left of it."""
