"""Source files into the staging tables, and what is counted there."""
