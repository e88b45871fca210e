"""Implements each command, mostly in a file with the name of the command."""
