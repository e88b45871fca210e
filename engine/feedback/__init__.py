"""Keeps what reviewers say while a service runs: a durable journal, hidden movies, and what was shown."""
