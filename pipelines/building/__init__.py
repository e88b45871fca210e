"""Builds an index from files, and estimates before a build the memory, disk and time that the build takes."""
