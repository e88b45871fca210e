"""Builds web pages of tables, text and SVG plots."""
