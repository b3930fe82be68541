"""What the names of a machine's nodes begin with, where several machines share a cluster."""

import re

VARIABLE = "SAMPAN_NODE_PREFIX"
_FORM = re.compile(r"([a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?-)?")


class InvalidPrefix(ValueError):
    """What was given can't begin the name of a node."""


def checked(prefix: str) -> str:
    """The prefix itself: empty, or part of a DNS label that ends in `-`. Raises InvalidPrefix."""
    if not _FORM.fullmatch(prefix):
        raise InvalidPrefix(
            f"{prefix!r} can't begin the name of a node: use up to 40 of a-z, 0-9 and '-', and a "
            "'-' at the end"
        )
    return prefix
