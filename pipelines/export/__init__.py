"""Makes and writes the parts of an index, one function a part."""
