"""Reads what people ask, as they give it: ids, ratings, options; checks it, and turns it into rows."""
