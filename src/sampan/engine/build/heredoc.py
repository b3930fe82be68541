"""Here-documents of RUN, COPY and ADD: how a word announces one, and how its lines are taken.

Source: the Dockerfile reference, "Here-Documents"; the words' rules are those of POSIX shells.
Pure; which instructions may have them is not known here.
"""

import re
from collections.abc import Iterator

import msgspec

_ANNOUNCEMENT = re.compile(r"([0-9]*)<<(-?)([^<]+)")
_PLAIN_NAME = re.compile(r"[^\s<>|&;()'\"\\$`]+")


class Heredoc(msgspec.Struct, frozen=True, kw_only=True):
    """`content` is as written; `expands` unless the name was quoted, `chomps` leading tabs."""

    name: str
    expands: bool
    chomps: bool
    content: str = ""

    @property
    def text(self) -> str:
        """The content without the tabs that a `<<-` takes away."""
        if not self.chomps:
            return self.content
        return re.sub(r"^\t+", "", self.content, flags=re.MULTILINE)


def parse_heredoc(word: str) -> Heredoc | None:
    """What a word like `<<EOF`, `<<-"END"` or `3<<X` announces; None for any other word."""
    match = _ANNOUNCEMENT.fullmatch(word)
    if match is None:
        return None
    name = match[3]
    is_quoted = name[0] in "'\"" and name[-1] == name[0] and len(name) > 2
    if is_quoted:
        name = name[1:-1]
    if not _PLAIN_NAME.fullmatch(name):
        return None
    return Heredoc(name=name, expands=not is_quoted, chomps=bool(match[2]))


def announced(text: str) -> Iterator[Heredoc]:
    """The here-documents that the words of a line announce, in their order."""
    for word in _raw_words(text):
        found = parse_heredoc(word)
        if found is not None:
            yield found


def _raw_words(text: str) -> Iterator[str]:
    """Words as they stand, with quotes and escapes kept."""
    word, quote, position = "", "", 0
    while position < len(text):
        letter = text[position]
        if letter == "\\" and quote != "'":
            word += text[position : position + 2]
            position += 2
            continue
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter.isspace():
            if word:
                yield word
            word = ""
            position += 1
            continue
        word += letter
        position += 1
    if word:
        yield word


def take_content(heredoc: Heredoc, lines: Iterator[str]) -> Heredoc | None:
    """The same with the lines up to its end, which are taken off `lines`; None without an end."""
    content: list[str] = []
    for line in lines:
        if (line.lstrip("\t") if heredoc.chomps else line) == heredoc.name:
            return msgspec.structs.replace(heredoc, content="".join(content))
        content.append(line + "\n")
    return None
