"""JSON lines shipped later: files, positions, delivery, and the command itself."""
