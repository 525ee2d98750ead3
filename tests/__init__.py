"""The tests of raindrop-logging."""
