"""Holds the rooms of the commands; a command lives in a file of its name, with few exceptions."""
