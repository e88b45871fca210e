"""Implements the commands of the program `engine`, most of them in a file of their own."""
