"""Templates as Go's text/template reads and fills them, with the functions that docker adds.

Pure and bounded: a template fills so many bytes in so many steps, or it fails. Nothing of docker's
documents is known here. Source: the documentation of Go's packages text/template, fmt and
encoding/json. Left out: `define`, `template`, `block` and `call`.
"""
