"""Finds or makes the files to read for each input: a file, folder, pattern, address or table in memory."""
