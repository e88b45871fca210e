"""Query time: loads an artifact and answers."""
