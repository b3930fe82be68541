"""What is behind a name beyond the object itself: scale, binding, eviction, token, finalize."""
