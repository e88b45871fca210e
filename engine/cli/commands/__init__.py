"""One file a command; its name is the name of the command."""
