"""The language that the control plane and the nodes share: kinds, schema, functions on objects,
and a client of the API. It must know neither a server nor a machine.
"""
