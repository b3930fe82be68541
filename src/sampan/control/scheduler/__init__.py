"""Which node each pod runs on: filters and scores as pure functions, and the loop round them.

It must not know the store or the controllers; it sees and changes objects through the API alone.
"""
