"""Implements the commands that answer questions from an index: lists, similar movies, profiles, HTTP."""
