"""What people ask, as they give it: ids, ratings, options; checked, and turned into rows."""
