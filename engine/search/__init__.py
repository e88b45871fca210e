"""Searches in two stages: finds candidates, then the best of them."""
