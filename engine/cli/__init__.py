"""The frame of the command line: errors to exit codes, shared options, printing."""
