"""The kit that draws web pages."""
