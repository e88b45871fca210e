"""Draws web pages."""
