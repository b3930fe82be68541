"""Images at rest: blobs, manifests, names, unpacked layers, and who holds a lease on them.

It must not know what is run from them.
"""
