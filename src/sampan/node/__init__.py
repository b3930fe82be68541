"""The kubelet: what makes a node run the pods that are bound to it, and tells how they are.

Plans and statuses are pure functions; the kernel and containers are reached through `network`
and `engine`. It must not know the control plane or its store: it is a client of the API.
"""
