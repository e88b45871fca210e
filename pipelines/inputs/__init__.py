"""Turns what users name into files to read: files, folders, patterns, addresses, tables in memory."""
