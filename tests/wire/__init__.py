"""What goes over the wire, seen by a recorder that knows nothing of the package."""
