"""Priority and fairness: no client takes the server from the others (KEP-1040)."""
