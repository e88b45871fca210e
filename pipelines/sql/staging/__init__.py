"""Stages the lines of source files, and counts them."""
