"""What keeps the objects of a cluster as their owners want them, one module a controller.

Each controller observes caches and plans by pure functions; `runner` and `execution` alone talk
to the API. They must not know one another, the store, or how the API works inside.
"""
