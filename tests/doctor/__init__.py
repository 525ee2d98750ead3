"""`raindrop-logging doctor`, run against receivers that are well, that are not, and that are not there."""
