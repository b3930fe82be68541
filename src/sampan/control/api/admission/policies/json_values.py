"""What an expression gave, as JSON."""

import base64
from typing import Any

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.times import show_duration, show_timestamp
from sampan.kubernetes.expressions.values import (
    Duration,
    Optional,
    Timestamp,
    Uint,
    type_name,
)


def plain(value: Any) -> Any:
    """A tree of JSON's own types. Raises EvaluationFailed for what JSON can't say."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return [plain(it) for it in value]
    if isinstance(value, dict):
        return {_key(key): plain(it) for key, it in value.items()}
    if isinstance(value, Uint):
        return int(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _of_library(value)


def _of_library(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return show_timestamp(value)
    if isinstance(value, Duration):
        return show_duration(value)
    if isinstance(value, Optional):
        return plain(value.value) if value.present else None
    raise EvaluationFailed(f"unsupported conversion from '{type_name(value)}' to JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise EvaluationFailed(f"unsupported key type '{type_name(key)}' in JSON")
    return key
