"""structlog, as its users set it up, with the real library."""
