"""Every model on every fold, measured."""
