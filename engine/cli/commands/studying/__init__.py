"""Implements the commands that study review files: exploring, preparing, planning, evaluating, tuning."""
