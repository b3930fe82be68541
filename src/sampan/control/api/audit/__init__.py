"""The audit log: who did what, when, and what came of it (audit.k8s.io/v1)."""
