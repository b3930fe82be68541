"""Variables, quotes and escapes in the words of an instruction.

The rules are those of the Dockerfile reference, "Environment replacement", and of a POSIX
shell's quoting. Pure.
"""

import re
from collections.abc import Iterator, Mapping

from sampan.engine.build.errors import BuildFailed

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NESTING_LIMIT = 16


def words(text: str, variables: Mapping[str, str], escape: str, line: int) -> list[str]:
    """The words of a text, unquoted and with variables replaced. Raises BuildFailed."""
    return [word for word, _ in _Scanner(text, variables, escape, line).words()]


def expand(text: str, variables: Mapping[str, str], escape: str, line: int) -> str:
    """The whole text as one word, blanks kept. Raises BuildFailed."""
    return _Scanner(text, variables, escape, line).whole()


def assignments(text: str, variables: Mapping[str, str], escape: str, line: int) -> dict[str, str]:
    """`A=1 B="2 3"`, or the older `A the rest`. Raises BuildFailed."""
    found = list(_Scanner(text, variables, escape, line).words())
    if not found:
        raise BuildFailed("a name and a value are missing", line)
    if found[0][1] < 0:
        name, _, rest = text.partition(" ")
        return {name: expand(rest.strip(), variables, escape, line)}
    result = {}
    for word, equals in found:
        if equals <= 0:
            raise BuildFailed(f"{word[:60]!r} is not of the form NAME=VALUE", line)
        result[word[:equals]] = word[equals + 1 :]
    return result


class _Scanner:
    def __init__(
        self, text: str, variables: Mapping[str, str], escape: str, line: int, depth: int = 0
    ) -> None:
        self._text = text
        self._variables = variables
        self._escape = escape
        self._line = line
        self._depth = depth
        self._position = 0

    def words(self) -> Iterator[tuple[str, int]]:
        """Each word with the position of its first `=` that was not quoted, or -1."""
        while self._skip_blanks():
            yield self._word(stop_at_blanks=True)

    def whole(self) -> str:
        return self._word(stop_at_blanks=False)[0]

    def _skip_blanks(self) -> bool:
        while self._position < len(self._text) and self._text[self._position].isspace():
            self._position += 1
        return self._position < len(self._text)

    def _word(self, *, stop_at_blanks: bool) -> tuple[str, int]:
        out, equals, quote = "", -1, ""
        while self._position < len(self._text):
            letter = self._text[self._position]
            if quote != "'" and letter == "$":
                out += self._variable()
                continue
            self._position += 1
            if quote and letter == quote:
                quote = ""
            elif quote != "'" and letter == self._escape and self._position < len(self._text):
                out += self._escaped(quote)
            elif not quote and letter in "'\"":
                quote = letter
            elif not quote and stop_at_blanks and letter.isspace():
                return out, equals
            else:
                if letter == "=" and equals < 0 and not quote:
                    equals = len(out)
                out += letter
        if quote:
            raise BuildFailed(f"a {quote} is not closed", self._line)
        return out, equals

    def _escaped(self, quote: str) -> str:
        letter = self._text[self._position]
        self._position += 1
        keeps_escape = quote == '"' and letter not in ('"', "$", self._escape)
        return self._escape + letter if keeps_escape else letter

    def _variable(self) -> str:
        self._position += 1
        rest = self._text[self._position :]
        if rest.startswith("{"):
            return self._braced()
        match = _NAME.match(rest)
        if match is None:
            return "$"
        self._position += match.end()
        return self._variables.get(match[0], "")

    def _braced(self) -> str:
        start = self._position + 1
        end = self._closing(start)
        content = self._text[start:end]
        self._position = end + 1
        match = _NAME.match(content)
        if match is None:
            raise BuildFailed(f"${{{content[:40]}}} is not a variable", self._line)
        name, modifier = match[0], content[match.end() :]
        value = self._variables.get(name)
        if not modifier:
            return value or ""
        colon = modifier.startswith(":")
        is_set = bool(value) if colon else value is not None
        operator, word = modifier[colon : colon + 1], modifier[colon + 1 :]
        if operator == "-":
            return (value or "") if is_set else self._nested(word)
        if operator == "+":
            return self._nested(word) if is_set else ""
        if operator == "?":
            if not is_set:
                raise BuildFailed(f"{name}: {self._nested(word) or 'is not set'}", self._line)
            return value or ""
        raise BuildFailed(f"${{{content[:40]}}} has an unknown modifier", self._line)

    def _closing(self, start: int) -> int:
        depth = 1
        for position in range(start, len(self._text)):
            if self._text[position] == "{":
                depth += 1
            elif self._text[position] == "}":
                depth -= 1
                if depth == 0:
                    return position
        raise BuildFailed("a ${ is not closed", self._line)

    def _nested(self, word: str) -> str:
        if self._depth >= _NESTING_LIMIT:
            raise BuildFailed("variables are nested too deeply", self._line)
        return _Scanner(
            word, self._variables, self._escape, self._line, depth=self._depth + 1
        ).whole()
