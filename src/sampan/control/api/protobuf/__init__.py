"""Kubernetes' protobuf form of objects, read into the trees that JSON gives."""
