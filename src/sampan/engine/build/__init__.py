"""From a Dockerfile and its context to an image: parsing, steps, layers and their cache.

It must not know how names of images are kept, or who asked for the build.
"""
