"""Movies without reviews."""
