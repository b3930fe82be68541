"""One container at a time: its document, its bundle, its monitor, and commands inside it.

It must not know where images come from or what else runs on the node.
"""
