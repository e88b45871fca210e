"""Searches in two stages: finds candidates for a top list, then keeps the candidates of highest score."""
