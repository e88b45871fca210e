"""Gives offline work its tools: database, processes, checkpoints, progress, output files."""
