"""The engines of nodes beside the machine's own engine, which shows and reaches their containers.

Each node's engine joins (`member.py`) and tells of its containers; the machine's engine
(`peers.py`) hands what is asked about one of them to the engine that keeps it. Who decides what
those containers are, and when they run, is not known here.
"""
