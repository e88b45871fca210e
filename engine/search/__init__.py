"""The two-stage search: candidates, then the best of them."""
