"""The only seam to the kernel: processes, namespaces, mounts, control groups, netlink, nftables.

It must not know what any of it is for: no pods, no services, no names of an instance.
"""
