"""The kinds of the group `admissionregistration.k8s.io`: webhooks, policies and their bindings."""
