"""Names and opens the files of an index, and writes an index as a whole or not at all."""
