"""Sampan: a complete, Kubernetes-compatible container platform in one package."""

__version__ = "0.1.0"
