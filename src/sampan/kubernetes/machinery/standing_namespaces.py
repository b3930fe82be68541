"""The namespaces that every cluster has, and which of them holds the leases of nodes."""

NODE_LEASES = "kube-node-lease"
IMMORTAL = ("default", "kube-system", "kube-public")
STANDING = (*IMMORTAL, NODE_LEASES)
