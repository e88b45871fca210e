"""Reads review and metadata files of every format into staging tables, without losing a row."""
