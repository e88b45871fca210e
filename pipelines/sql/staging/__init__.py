"""Reads the lines of review and metadata files into staging tables, cleans values and counts lines."""
