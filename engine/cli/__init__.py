"""Implements the command line: starts commands, turns errors into exit codes, and prints answers."""
