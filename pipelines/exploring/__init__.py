"""Describes review files by counts, statistics, charts and checks of common statements."""
