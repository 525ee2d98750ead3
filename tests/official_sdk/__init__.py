"""The vendor's own SDK as a test's counterpart."""
