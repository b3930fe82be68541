"""What a cluster has before anybody has written anything, one file a family of objects."""
