"""What holds for any input, stated once and tried on many."""
