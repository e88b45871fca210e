"""What an index is on disk: its files, their names, how they are opened and written whole."""
