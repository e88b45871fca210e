"""Shows an index to people, as web pages that work without JavaScript."""
