"""Reviews in, a model out."""
