"""Requests that are passed on to pods, services and nodes, and what comes back."""
