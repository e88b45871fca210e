"""Serves indexes over HTTP: the questions of the command line as JSON, health, metrics, refreshed indexes."""
