"""Names, opens and writes the files of an index, whole or not at all."""
