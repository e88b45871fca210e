"""Implements the commands that make, change, compare and describe indexes."""
