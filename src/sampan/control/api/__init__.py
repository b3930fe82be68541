"""kube-apiserver: every request through one list of stages, every object as encoded bytes.

It must know no controller, no scheduler and no machine; it reaches them through the API alone.
"""
