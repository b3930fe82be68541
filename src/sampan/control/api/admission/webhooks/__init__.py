"""Admission webhooks: who is asked about which writes, how, and what the answers mean."""
