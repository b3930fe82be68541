"""The namespaces that every cluster has, and which of them holds the leases of nodes."""

NODE_LEASES = "kube-node-lease"
STANDING = ("default", "kube-system", "kube-public", NODE_LEASES)
