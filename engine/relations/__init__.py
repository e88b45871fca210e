"""What is alike, who is alike, whom to tell, what they would give."""
