"""Variables, quotes and escapes in the words of an instruction.

The rules are those of the Dockerfile reference, "Environment replacement", and of a POSIX
shell's quoting. Pure.
"""

import re
from collections.abc import Iterator, Mapping

from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.substitution import BadSubstitution, substitute

# Names, and the parameters of a shell, which a Dockerfile never has.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?!-]")
_NESTING_LIMIT = 16


def words(text: str, variables: Mapping[str, str], escape: str, line: int) -> list[str]:
    """The words of a text, unquoted and with variables replaced. Raises BuildFailed."""
    return [word for word, _ in _Scanner(text, variables, escape, line).words()]


def expand(text: str, variables: Mapping[str, str], escape: str, line: int) -> str:
    """The whole text as one word, blanks kept. Raises BuildFailed."""
    return _Scanner(text, variables, escape, line).whole()


def expand_text(text: str, variables: Mapping[str, str], escape: str, line: int) -> str:
    """A here-document's text: variables replaced, quotes as they stand.

    Raises BuildFailed.
    """
    return _Scanner(text, variables, escape, line, has_quotes=False).whole()


def assignments(
    text: str, variables: Mapping[str, str], escape: str, line: int, instruction: str = "ENV"
) -> dict[str, str]:
    """`A=1 B="2 3"`, or the older `A the rest`. Raises BuildFailed."""
    found = list(_Scanner(text, variables, escape, line).words())
    if not found:
        raise InvalidDockerfile(f"{instruction} requires at least one argument", line)
    if found[0][1] < 0:
        name, *rest = text.split(maxsplit=1)
        if not rest:
            raise InvalidDockerfile(f"{instruction} must have two arguments", line)
        return {expand(name, variables, escape, line): expand(rest[0], variables, escape, line)}
    result = {}
    for word, equals in found:
        if equals < 0:
            raise InvalidDockerfile(
                f'Syntax error - can\'t find = in "{word[:60]}". Must be of the form: name=value',
                line,
            )
        if equals == 0:
            raise InvalidDockerfile(f"{instruction} names can not be blank", line)
        result[word[:equals]] = word[equals + 1 :]
    return result


class _Scanner:
    def __init__(
        self,
        text: str,
        variables: Mapping[str, str],
        escape: str,
        line: int,
        *,
        depth: int = 0,
        has_quotes: bool = True,
    ) -> None:
        self._text = text
        self._variables = variables
        self._escape = escape
        self._line = line
        self._depth = depth
        self._quotes = "'\"" if has_quotes else ""
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
            elif not quote and letter in self._quotes:
                quote = letter
            elif not quote and stop_at_blanks and letter.isspace():
                return out, equals
            else:
                if letter == "=" and equals < 0 and not quote:
                    equals = len(out)
                out += letter
        if quote:
            kind = "single" if quote == "'" else "double"
            raise BuildFailed(
                f'failed to process "{self._text[:100]}": unexpected end of statement while '
                f"looking for matching {kind}-quote",
                self._line,
            )
        return out, equals

    def _escaped(self, quote: str) -> str:
        letter = self._text[self._position]
        self._position += 1
        is_quoted = quote == '"' or not self._quotes
        keeps_escape = is_quoted and letter not in (quote, "$", self._escape)
        return self._escape + letter if keeps_escape else letter

    def _variable(self) -> str:
        self._position += 1
        if self._text.startswith("{", self._position):
            return self._braced()
        match = _NAME.match(self._text, self._position)
        if match is None:
            return "$"
        self._position = match.end()
        return self._variables.get(match[0], "")

    def _braced(self) -> str:
        start = self._position + 1
        end = self._closing(start)
        content = self._text[start:end]
        self._position = end + 1
        match = _NAME.match(content)
        if match is None:
            raise BuildFailed(
                f'failed to process "{self._text[:100]}": bad substitution', self._line
            )
        value = self._variables.get(match[0])
        try:
            return substitute(match[0], value, content[match.end() :], self._nested)
        except BadSubstitution as error:
            raise BuildFailed(
                f'failed to process "{self._text[:100]}": {error}', self._line
            ) from error

    def _closing(self, start: int) -> int:
        depth = 1
        for position in range(start, len(self._text)):
            if self._text[position] == "{":
                depth += 1
            elif self._text[position] == "}":
                depth -= 1
                if depth == 0:
                    return position
        raise BuildFailed(
            f"failed to process \"{self._text[:100]}\": syntax error: missing '}}'", self._line
        )

    def _nested(self, word: str) -> str:
        if self._depth >= _NESTING_LIMIT:
            raise BuildFailed("variables are nested too deeply", self._line)
        return _Scanner(
            word, self._variables, self._escape, self._line, depth=self._depth + 1
        ).whole()
