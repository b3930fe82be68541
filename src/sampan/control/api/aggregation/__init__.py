"""APIs that servers in the cluster serve under this one's address: APIServices."""
