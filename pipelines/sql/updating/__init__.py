"""What new metadata brings to an index."""
