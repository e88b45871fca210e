"""Holds the commands of the command line; most commands are in a file with the command's name."""
