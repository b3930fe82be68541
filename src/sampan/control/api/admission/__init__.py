"""Rules about writes that look beyond the object itself: at its namespace, account or writer."""
