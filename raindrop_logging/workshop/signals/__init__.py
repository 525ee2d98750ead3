"""Signals that rules find: what a rule is, how texts are judged, and what can be asked about them."""
