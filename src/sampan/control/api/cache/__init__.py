"""The watch cache: each object's current version as encoded bytes, and who waits for the next."""
