"""Figures about raw reviews."""
