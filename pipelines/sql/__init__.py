"""Holds the SQL statements of the pipelines, one table a file."""
