"""Describes review files by counts, statistics and charts, and checks common claims about review data."""
