"""Patterns for file names: those of COPY, and the rules of a .dockerignore file.

Sources: the Dockerfile reference, ".dockerignore file", and Go's filepath.Match, which both
follow. RE2 runs them, in time that grows with the names alone. Pure.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import re2

from sampan.engine.build.errors import BuildFailed

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class IgnoreRule(msgspec.Struct, frozen=True):
    expression: Any
    keeps: bool


def has_wildcard(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def component_matches(pattern: str, name: str) -> bool:
    """Whether a pattern without slashes matches a file name. Raises BuildFailed."""
    return _compiled(_translate(pattern), pattern).fullmatch(name) is not None


def parse_ignore_rules(text: str) -> tuple[IgnoreRule, ...]:
    """The rules of a .dockerignore, of which the last that matches a path decides.

    Raises BuildFailed.
    """
    rules = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keeps = line.startswith("!")
        if line == "!":
            raise BuildFailed('illegal exclusion pattern: "!"')
        pattern = "/".join(part for part in line.lstrip("!").split("/") if part not in ("", "."))
        if pattern:
            # What is below a folder that matches, matches as well.
            rules.append(IgnoreRule(_compiled(_translate(pattern) + "(/.*)?", pattern), keeps))
    return tuple(rules)


def is_ignored(path: str, rules: Iterable[IgnoreRule]) -> bool:
    """Whether a path relative to the context is left out."""
    ignored = False
    for rule in rules:
        if rule.expression.fullmatch(path):
            ignored = not rule.keeps
    return ignored


def may_keep_below(rules: Iterable[IgnoreRule]) -> bool:
    """Whether something inside an ignored folder might be kept after all."""
    return any(rule.keeps for rule in rules)


def _compiled(expression: str, pattern: str) -> Any:
    try:
        return re2.compile(f"(?s){expression}", _OPTIONS)
    except re2.error as error:
        raise BuildFailed(f"{pattern[:100]}: syntax error in pattern") from error


def _translate(pattern: str) -> str:
    out, position = "", 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            out += "(?:.*/)?"
            position += 3
            continue
        if pattern.startswith("**", position):
            out += ".*"
            position += 2
            continue
        letter = pattern[position]
        position += 1
        if letter == "\\" and position < len(pattern):
            out += re2.escape(pattern[position])
            position += 1
        elif letter == "*":
            out += "[^/]*"
        elif letter == "?":
            out += "[^/]"
        elif letter == "[" and "]" in pattern[position + 1 :]:
            end = pattern.index("]", position + 1)
            inside = pattern[position:end].replace("[", "\\[")
            out += f"[{inside}]"
            position = end + 1
        else:
            out += re2.escape(letter)
    return out
