"""What is known of the movies: cards, conditions in SQL, titles, films."""
