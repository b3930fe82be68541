"""What tests of several rooms share: a clock that needs no time, objects to begin with.

Nothing that runs in an instance may import it.
"""
