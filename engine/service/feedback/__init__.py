"""Receives reviews, clicks and hidden movies over HTTP; divides reviewers between indexes for A/B tests."""
