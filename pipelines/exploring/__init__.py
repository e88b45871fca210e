"""What review files hold."""
