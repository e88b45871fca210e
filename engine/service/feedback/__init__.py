"""Receives reviews, clicks and hidden movies over HTTP."""
