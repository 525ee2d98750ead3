"""OpenTelemetry both ways, with real instrumentors, clients and exporters."""
