"""The kinds of the group `batch`: work that ends."""
