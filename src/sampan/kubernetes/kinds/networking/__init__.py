"""The kinds of the group `networking.k8s.io`, one file a family."""
