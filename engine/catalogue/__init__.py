"""Looks up what is known of movies without the model: titles, prices, SQL conditions, variants of films."""
