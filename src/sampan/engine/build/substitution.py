"""What follows a variable's name in `${name…}`: defaults, cuts and replacements.

Source: the Dockerfile reference, "Environment replacement"; patterns are a shell's `*` and `?`.
Expressions are run by RE2, whose time grows with the text alone. Pure; where the variable
stands is not known here.
"""

from collections.abc import Callable

import re2

_OPERATORS = ("##", "#", "%%", "%", "//", "/")
_PATTERN_LIMIT = 4096

Nested = Callable[[str], str]


class BadSubstitution(ValueError):
    """The text after the name means nothing, or the variable had to be set."""


def substitute(name: str, value: str | None, modifier: str, nested: Nested) -> str:
    """The value after a modifier; `nested` expands the word in it. Raises BadSubstitution."""
    if not modifier:
        return value or ""
    for operator in _OPERATORS:
        if modifier.startswith(operator):
            return _changed(value or "", operator, modifier.removeprefix(operator), nested)
    colon = modifier.startswith(":")
    is_set = bool(value) if colon else value is not None
    operator, word = modifier[colon : colon + 1], modifier[colon + 1 :]
    if operator == "-":
        return (value or "") if is_set else nested(word)
    if operator == "+":
        return nested(word) if is_set else ""
    if operator == "?":
        if not is_set:
            said = nested(word) or "is not allowed to be " + ("empty" if colon else "unset")
            raise BadSubstitution(f"{name}: {said}")
        return value or ""
    raise BadSubstitution(f"unsupported modifier ({modifier[:20]}) in substitution")


def _changed(value: str, operator: str, word: str, nested: Nested) -> str:
    if operator in ("/", "//"):
        pattern, replacement = _split_replacement(word)
        expression = _expression(nested(pattern), is_greedy=True)
        filled = nested(replacement)
        replaced: str = re2.sub(expression, lambda _: filled, value, count=int(operator == "/"))
        return replaced
    expression = _expression(nested(word), is_greedy=len(operator) == 2)
    if operator.startswith("#"):
        match = re2.match(expression, value)
        return value[match.end() :] if match is not None else value
    kept = ".*?" if len(operator) == 2 else ".*"
    match = re2.fullmatch(f"(?s:({kept}){expression})", value)
    found: str = match[1] if match is not None else value
    return found


def _split_replacement(word: str) -> tuple[str, str]:
    position = 0
    while position < len(word) and word[position] != "/":
        position += 2 if word[position] == "\\" else 1
    if position >= len(word):
        raise BadSubstitution("missing '/' in substitution")
    return word[:position].replace("\\/", "/"), word[position + 1 :]


def _expression(pattern: str, *, is_greedy: bool) -> str:
    if len(pattern) > _PATTERN_LIMIT:
        raise BadSubstitution("a pattern is too long")
    out, position, any_text = "", 0, ".*" if is_greedy else ".*?"
    while position < len(pattern):
        letter = pattern[position]
        if letter == "\\" and position + 1 < len(pattern):
            position += 1
            out += re2.escape(pattern[position])
        elif letter == "*":
            # Stars in a row match what one does, without the time.
            out += "" if out.endswith(any_text) else any_text
        else:
            out += "." if letter == "?" else re2.escape(letter)
        position += 1
    return f"(?s:{out})"
