"""Keeps the feedback that a running service receives: a journal of events, hidden movies, and shown lists."""
