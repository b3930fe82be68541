"""Regular expressions with RE2's syntax, matched in time linear in the text.

Patterns come from users: an engine that backtracks could be made to run for ever. RE2 can't,
and `MAXIMUM_MEMORY` bounds what one compiled pattern may take.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

MAXIMUM_PATTERN = 10_000
MAXIMUM_MEMORY = 512 << 10
# cel-go's factors for texts and patterns, and how many states weigh as much as one of them.
_TENTH, _QUARTER, _STATES = 10, 4, 5

_options = re2.Options()
_options.log_errors = False
_options.max_mem = MAXIMUM_MEMORY


class InvalidPattern(ValueError):
    """The text is no regular expression of RE2, or too large a one."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """Raises InvalidPattern."""
    if len(pattern) > MAXIMUM_PATTERN:
        raise InvalidPattern(f"pattern is longer than {MAXIMUM_PATTERN} characters")
    try:
        return re2.compile(pattern, options=_options)
    except re2.error as error:
        detail = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise InvalidPattern(f"error parsing regexp: {detail}: `{pattern}`") from error


def effort(text: str, pattern: str) -> int:
    """What searching costs: upstream's measure, or more for a short pattern that means many
    states. The engine may have to look at each of them for each character."""
    try:
        states = int(compiled(pattern).programsize)
    except InvalidPattern:
        return 1
    share = max(-(-len(pattern) // _QUARTER), states // _STATES)
    return -(-(len(text) + 1) // _TENTH) * max(1, share)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in the text. Raises InvalidPattern."""
    return compiled(pattern).search(text) is not None


def found(pattern: str, text: str) -> Iterator[str]:
    """Every match, from left to right. Raises InvalidPattern."""
    for match in compiled(pattern).finditer(text):
        yield match.group()
