"""What Raindrop's SDKs send, read and kept: the ingest end of the Workshop."""
