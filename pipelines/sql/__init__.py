"""The SQL statements of the pipelines, one table a file."""
