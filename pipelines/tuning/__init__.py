"""Searches for the settings of a build with which the model predicts held-out reviews best."""
