"""Which movies are near one another."""
