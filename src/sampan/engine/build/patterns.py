"""Patterns for file names: those of COPY, and the rules of a .dockerignore file.

Sources: the Dockerfile reference, ".dockerignore file", and Go's filepath.Match, which both
follow. Pure.
"""

import re
from collections.abc import Iterable

import msgspec


class IgnoreRule(msgspec.Struct, frozen=True):
    expression: re.Pattern[str]
    keeps: bool


def has_wildcard(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def component_matches(pattern: str, name: str) -> bool:
    """Whether a pattern without slashes matches a file name."""
    return re.fullmatch(_translate(pattern), name) is not None


def parse_ignore_rules(text: str) -> tuple[IgnoreRule, ...]:
    """The rules of a .dockerignore, of which the last that matches a path decides."""
    rules = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keeps = line.startswith("!")
        pattern = "/".join(part for part in line.lstrip("!").split("/") if part not in ("", "."))
        if pattern:
            # What is below a folder that matches, matches as well.
            rules.append(IgnoreRule(re.compile(_translate(pattern) + "(/.*)?"), keeps))
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
        if letter == "*":
            out += "[^/]*"
        elif letter == "?":
            out += "[^/]"
        elif letter == "[" and "]" in pattern[position + 1 :]:
            end = pattern.index("]", position + 1)
            inside = pattern[position:end].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[{inside}]"
            position = end + 1
        else:
            out += re.escape(letter)
    return out
