"""Custom resources: from their definitions to resources that are served while the server runs."""
