"""Answers the questions of the command line over HTTP, as JSON, and reports health and metrics."""
