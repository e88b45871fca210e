"""Describes the prepared reviews in figures."""
