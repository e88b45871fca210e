"""Top lists of movies, for one, for a group, for everyone."""
