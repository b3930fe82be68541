"""Whether a caller may do what it asks: administrators, nodes, and what roles grant."""
