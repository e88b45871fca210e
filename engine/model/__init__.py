"""The trained model in NumPy: two heads, tables, histories."""
