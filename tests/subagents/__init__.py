"""Detached sub-agents: what takes a launch to its child, and what becomes of both."""
