"""What every kind is: one record a kind, one file (or package) an API group, `all` lists them."""
