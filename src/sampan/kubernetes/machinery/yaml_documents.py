"""YAML bodies to trees, safely: read event by event, so that a bomb is refused where it starts.

The tree is the one that the document's JSON form would give: no tag makes an object of another
type, times stay text, and keys become text. Scalars resolve as in YAML 1.1, as in Kubernetes.
"""

import math
import re
from typing import Any

import yaml

from sampan.kubernetes.machinery.codecs import MAXIMUM_DEPTH, Decoded, InvalidBody

MAXIMUM_SIZE = 3 << 20
MAXIMUM_NODES = 200_000

_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES"), True),
    **dict.fromkeys(("true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO"), False),
    **dict.fromkeys(("false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]{0,40})")
_BASED = re.compile(r"([-+]?)0(?:x([0-9a-fA-F_]{1,20})|o?([0-7_]{1,24})|b([01_]{1,70}))")
_FLOAT = re.compile(r"[-+]?[0-9]{0,40}\.?[0-9]{1,40}([eE][-+]?[0-9]{1,3})?")
_NOTHING = object()


def decode(body: bytes) -> Decoded:
    """One YAML document; raises InvalidBody. Takes up to half a second for the largest bodies:
    whoever has an event loop to keep going calls this in a thread.

    Aliases are refused: JSON has none, and they are what bombs are made of.
    """
    if len(body) > MAXIMUM_SIZE:
        raise InvalidBody(f"the YAML body is larger than {MAXIMUM_SIZE} bytes")
    reader = _Reader()
    try:
        for event in yaml.parse(body, Loader=yaml.CSafeLoader):
            reader.take(event)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "not YAML"
        raise InvalidBody(f"error converting YAML to JSON: yaml: {problem}") from error
    if reader.documents == 0:
        return Decoded(None)
    return Decoded(reader.root, tuple(reader.duplicates), tuple(reader.complaints))


class _Level:
    """An object or list that is being read, and the key whose value comes next."""

    __slots__ = ("key", "line", "node", "path")

    def __init__(self, node: dict[str, Any] | list[Any], path: str) -> None:
        self.node = node
        self.path = path
        self.key: Any = _NOTHING
        self.line = 0


class _Reader:
    """Builds the tree out of events, without recursion."""

    def __init__(self) -> None:
        self.root: Any = None
        self.levels: list[_Level] = []
        self.duplicates: list[str] = []
        self.complaints: list[str] = []
        self.nodes = 0
        self.documents = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise InvalidBody("the YAML body holds more than one document")
        elif isinstance(event, yaml.AliasEvent):
            raise InvalidBody("YAML aliases are not accepted")
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [])
        elif isinstance(event, yaml.CollectionEndEvent):
            self.levels.pop()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        level = self.levels[-1] if self.levels else None
        if level is not None and isinstance(level.node, dict) and level.key is _NOTHING:
            self._count()
            level.key = event.value
            level.line = event.start_mark.line + 1 if event.start_mark else 0
        else:
            self._place(_resolve(event))

    def _open(self, node: dict[str, Any] | list[Any]) -> None:
        if len(self.levels) >= MAXIMUM_DEPTH:
            raise InvalidBody("the body is nested too deeply")
        self.levels.append(_Level(node, self._place(node)))

    def _place(self, value: Any) -> str:
        """Put a value where it belongs, and give its path."""
        self._count()
        if not self.levels:
            self.root = value
            return ""
        level = self.levels[-1]
        if isinstance(level.node, list):
            level.node.append(value)
            return f"{level.path}[{len(level.node) - 1}]"
        if level.key is _NOTHING:
            raise InvalidBody("the keys of a YAML mapping must be scalars")
        path = f"{level.path}.{level.key}".removeprefix(".")
        if level.key in level.node:
            self.duplicates.append(path)
            self.complaints.append(f'line {level.line}: key "{level.key}" already set in map')
        level.node[level.key] = value
        level.key = _NOTHING
        return path

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > MAXIMUM_NODES:
            raise InvalidBody(f"the YAML body holds more than {MAXIMUM_NODES} nodes")


def _resolve(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if event.tag is not None:
        kind = event.tag.removeprefix(_TAG)
        if kind in ("str", "!"):
            return text
        value = _plain(text)
        if not event.tag.startswith(_TAG) or type(value).__name__ not in (kind, "NoneType"):
            raise InvalidBody(f"the YAML tag {event.tag[:60]} is not accepted here")
        return value
    return _plain(text) if event.implicit[0] else text


def _plain(text: str) -> Any:
    """The value of a scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return int(text.replace("_", ""))
    based = _BASED.fullmatch(text)
    if based:
        for digits, base in zip(based.groups()[1:], (16, 8, 2), strict=True):
            if digits and digits.strip("_"):
                return int(based[1] + digits.replace("_", ""), base)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
