"""The way of packets and names: pod networks, the overlay, service rules, the DNS server.

It must not know Kubernetes or containers: `contract` has terms of its own.
"""
