"""A receiver that fails in every way a network and a server can, and what becomes of the records meanwhile."""
