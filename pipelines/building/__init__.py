"""The build, one call per arrow, and what comes before it."""
