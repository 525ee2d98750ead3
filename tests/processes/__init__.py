"""Deployments as they are: real servers, workers and functions, started and stopped as an operator would."""
