"""Holds tools of offline work: temporary database, child processes, checkpoints, progress, output files."""
