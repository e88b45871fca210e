"""Reads text files of any compression and encoding as UTF-8, line by line or object by object."""
