"""Getting, listing and watching: reads come from the cache alone."""
