"""In which form an answer is wanted, and an object in that form."""
