"""What the calling thread may do, and with what, while it logs: nothing of it may hurt the caller."""
