"""Frames the command line: turns errors into exit codes, shares options, prints answers."""
