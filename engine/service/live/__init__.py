"""Holds the opened indexes of the service, asks them one question at a time, and writes feedback to disk."""
