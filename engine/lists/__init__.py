"""Makes top lists of movies for one reviewer, for a group of reviewers, or for very many reviewers."""
