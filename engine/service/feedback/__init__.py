"""Takes reviews, clicks and hidden movies over HTTP, and divides reviewers into the arms of an A/B test."""
