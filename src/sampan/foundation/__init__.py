"""What every room stands on: the names of an instance, messages and their wire, keys, log lines.

It must not know any other room.
"""
