"""The container engine: images, builds, snapshots, and containers by an OCI runtime.

It must not know Kubernetes: `contract` is all that node and command line see of it.
"""
