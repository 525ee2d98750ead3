"""The published documentation's examples, rewritten on this package: what they say arrives, arrives."""
