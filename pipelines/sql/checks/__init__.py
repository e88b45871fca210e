"""Checks: statements that select what must not be there."""
