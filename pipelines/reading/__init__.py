"""Reads files of every format into staging tables, losing no row."""
