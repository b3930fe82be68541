"""Bridges with private subnets for containers that people run by hand: devices, rules, names.

No containers here, and no documents of Docker's: ports of bridges, addresses and names only.
"""
