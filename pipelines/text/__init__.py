"""Reads the text of files of any compression, encoding and framing as lines of UTF-8, in constant memory."""
