"""Makes the prepared tables from the staging tables, and reads the prepared tables."""
