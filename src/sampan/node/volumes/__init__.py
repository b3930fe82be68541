"""The folders that a pod's containers mount, and what is in them.

It must not know containers, or how an object of the API came to be here.
"""
