"""What a person searches for, and what is shown of it; pure but for the clock of a pattern."""
