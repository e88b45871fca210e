"""What offline work stands on: database, processes, checkpoints, progress, output files."""
