"""CEL, the Common Expression Language, with Kubernetes' libraries and a budget for each run.

`program.compile` makes a program of a text; a program's `evaluate` runs it over plain JSON
trees. Nothing here knows the API server, admission or custom resources.
"""
