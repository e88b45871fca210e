"""Offline: raw files to artifact, evaluation, reports."""
