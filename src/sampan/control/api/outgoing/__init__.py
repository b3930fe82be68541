"""Calls that the server makes itself: connections, webhooks, and where a service is."""
