"""Tables of neighbouring movies: co-reviews, a linear model, metadata."""
