"""Pure functions on Kubernetes objects: no I/O, no clock, no kinds' own rules."""
