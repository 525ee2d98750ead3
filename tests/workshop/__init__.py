"""The Workshop, over real HTTP on loopback."""
