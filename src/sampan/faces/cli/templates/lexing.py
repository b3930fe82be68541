"""A template's text, divided into what is copied and the words of what is done."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from sampan.faces.cli.templates.values import TemplateFailed

LONGEST_TEMPLATE = 64 * 1024
_BLANKS = " \t\r\n"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_WORDS = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    |(?P<character>'(?:[^'\\\n]|\\.)+')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:[0-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<variable>\$\w*)
    |(?P<name>[^\W\d]\w*)
    |(?P<mark>:=|=|\||\(|\)|,|\.)""",
    re.VERBOSE,
)


class Word(NamedTuple):
    """`kind` is a group's name in the expression above, or "end"; `joined` to the one before."""

    kind: str
    text: str
    joined: bool = False


class Action(NamedTuple):
    """What stands between `{{` and `}}`, and in which line."""

    words: list[Word]
    line: int


def divided(template: str) -> Iterator[str | Action]:
    """Text and actions in turn. Raises TemplateFailed."""
    if len(template) > LONGEST_TEMPLATE:
        raise TemplateFailed(f"a template of more than {LONGEST_TEMPLATE} characters")
    position, trims = 0, False
    while True:
        start = template.find("{{", position)
        text = template[position:] if start < 0 else template[position:start]
        trims_before = template[start + 2 : start + 3] == "-" and (
            template[start + 3 : start + 4] in (*_BLANKS, "")
        )
        if trims:
            text = text.lstrip(_BLANKS)
        if start >= 0 and trims_before:
            text = text.rstrip(_BLANKS)
        if text:
            yield text
        if start < 0:
            return
        line = template.count("\n", 0, start) + 1
        inner = start + (3 if trims_before else 2)
        words, position, trims = _action(template, inner, line)
        if words:
            yield Action(words, line)


def _action(template: str, start: int, line: int) -> tuple[list[Word], int, bool]:
    """The words from `start` to `}}`, where the text goes on, and whether blanks are cut there."""
    position = start
    if found := _COMMENT.match(template, _after_blanks(template, start)):
        position = found.end()
    words: list[Word] = []
    joined = False
    while not template.startswith("}}", position):
        if template.startswith("-}}", position) and template[position - 1] in _BLANKS:
            return words, position + 3, True
        match = _WORDS.match(template, position)
        if match is None or match.lastgroup is None:
            rest = template[position : position + 20]
            raise TemplateFailed(f"line {line}: unexpected {rest!r}" if rest else "unclosed action")
        if match.lastgroup != "blank":
            words.append(Word(match.lastgroup, match.group(), joined))
        joined = match.lastgroup != "blank"
        position = match.end()
    return words, position + 2, False


def _after_blanks(template: str, position: int) -> int:
    while template[position : position + 1] in (*_BLANKS,):
        position += 1
    return position
