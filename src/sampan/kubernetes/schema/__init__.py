"""The published schema of Kubernetes' objects, as data, and what is checked with it alone."""
