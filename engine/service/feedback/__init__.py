"""Receives reviews, clicks and hidden movies over HTTP, and divides reviewers between two tested indexes."""
