"""The root file systems of containers: layers from below, what is written on top.

It must not know where the layers come from.
"""
