"""Shows an index to people as web pages, which also work without JavaScript."""
