"""Describes what review files hold."""
