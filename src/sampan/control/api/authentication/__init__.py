"""Who makes a request: client certificates and bearer tokens of every sort; grants nothing."""
