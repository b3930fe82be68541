"""What a running expression holds: its variables, and what it may still spend."""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.kubernetes.expressions.budget import Budget


class Frame(msgspec.Struct):
    """`variables` belongs to one evaluation, which also keeps the variables of loops in it."""

    variables: dict[str, Any]
    budget: Budget


Run = Callable[[Frame], Any]
