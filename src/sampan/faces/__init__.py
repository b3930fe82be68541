"""What people touch.

Faces must not know the host, the store or the control plane: they ask the engine and the API.
"""
