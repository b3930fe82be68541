"""Benchmarks: each file measures one kind of work; `python -m bench` prints the table."""
