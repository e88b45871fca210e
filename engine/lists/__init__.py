"""Makes top lists of movies, for one reviewer, for a group, for everyone."""
