"""Tests of the linter for logging configurations."""
