"""Whom the certificates of a cluster name: the users and groups that its parts know one another by.

Kubernetes has fixed them (kubernetes.io, "PKI certificates and requirements").
"""

ADMINISTRATORS = "system:masters"
NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
KUBELET_CLIENT = "kube-apiserver-kubelet-client"
FRONT_PROXY_CLIENT = "front-proxy-client"
