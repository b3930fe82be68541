"""A whole cluster in one process: a real control plane, simulated nodes, a network with faults.

Time and chance are given, so that a story repeats by its seed. It must not know the kernel.
"""
