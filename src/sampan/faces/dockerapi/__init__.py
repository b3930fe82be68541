"""The Docker Engine API (1.24 to 1.52) over the engine's own parts: translation, no rules.

HTTP is `foundation.wire`'s, what is asked for the engine's; here are paths, versions, the shapes of
JSON and of streams.
"""
