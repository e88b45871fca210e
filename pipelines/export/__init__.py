"""The parts of an index, each made and written by one function."""
