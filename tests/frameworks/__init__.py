"""The middlewares, under the frameworks that they are for."""
