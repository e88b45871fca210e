"""Answers over HTTP, as JSON, the same questions as the command line, and reports health and metrics."""
