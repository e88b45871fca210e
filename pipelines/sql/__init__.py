"""Holds the SQL statements of the pipelines; most files make or select one table."""
