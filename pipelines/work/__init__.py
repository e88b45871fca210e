"""Holds tools of offline work: database, child processes, Ray, checkpoints, progress, output files."""
