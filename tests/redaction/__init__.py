"""What is taken out of texts and values, what is left, and by which rules."""
