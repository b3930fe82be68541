"""The tokens of an expression (CEL language definition, "Syntax")."""

import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from sampan.kubernetes.expressions.errors import Problem
from sampan.kubernetes.expressions.values import Uint

TokenKind = Literal["constant", "name", "sign", "end"]

LARGEST, SMALLEST, LARGEST_UNSIGNED = 2**63 - 1, -(2**63), 2**64 - 1
MAXIMUM_LENGTH = 100_000

_RESERVED = frozenset(
    (
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    )
)
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_SPACE = re.compile(r"(?:[ \t\n\f\r]+|//[^\n]*)*")
_NUMBER = re.compile(
    r"0x[0-9a-fA-F]+[uU]?|[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
    r"|[0-9]+[eE][+-]?[0-9]+|[0-9]+[uU]?"
)
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_QUOTED_NAME = re.compile(r"`([a-zA-Z0-9_.\-/ ]+)`")
_SIGN = re.compile(r"&&|\|\||==|!=|<=|>=|\.\?|\[\?|\{\?|[-+*/%!<>?:.,()\[\]{}=]")
_STRING_START = re.compile(r"([rRbB]{0,2})('''|\"\"\"|'|\")")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|([0-3][0-7]{2})|)"
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Token(msgspec.Struct, frozen=True):
    """`text` is the sign or name; `value` that of a constant."""

    kind: TokenKind
    offset: int
    text: str
    value: Any = None


def tokens(text: str) -> list[Token]:
    """All tokens, with one of kind `end` at last. Raises Problem."""
    if len(text) > MAXIMUM_LENGTH:
        message = f"expression code point size exceeds limit: size: {len(text)}, limit 100000"
        raise Problem(0, message)
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at = _skip_space(text, 0)
    while at < len(text):
        token, at = _next(text, at)
        yield token
        at = _skip_space(text, at)
    yield Token("end", len(text), "<EOF>")


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _next(text: str, at: int) -> tuple[Token, int]:
    if (found := _STRING_START.match(text, at)) and _is_prefix(found.group(1)):
        return _string(text, at, found)
    if found := _NAME.match(text, at):
        return _word(at, found.group()), found.end()
    if found := _QUOTED_NAME.match(text, at):
        return Token("name", at, found.group(1), "quoted"), found.end()
    if found := _NUMBER.match(text, at):
        return Token("constant", at, found.group(), _number(at, found.group())), found.end()
    if found := _SIGN.match(text, at):
        return Token("sign", at, found.group()), found.end()
    raise Problem(at, f"Syntax error: token recognition error at: '{text[at]}'")


def _word(at: int, word: str) -> Token:
    if word in _WORDS:
        return Token("constant", at, word, _WORDS[word])
    return Token("sign" if word == "in" else "name", at, word)


def is_reserved(name: str) -> bool:
    """Whether a word may not be used as a variable's name."""
    return name in _RESERVED


def _is_prefix(letters: str) -> bool:
    return letters.lower() in ("", "r", "b", "rb", "br")


def _number(at: int, text: str) -> Any:
    lower = text.lower()
    if lower.startswith("0x"):
        digits = lower[2:].rstrip("u")
        return _integer(at, int(digits, 16) if len(digits) < 20 else -1, lower)
    if "." in lower or "e" in lower:
        value = float(lower)
        if value == float("inf"):
            raise Problem(at, "invalid double literal")
        return value
    digits = lower.rstrip("u")
    return _integer(at, int(digits) if len(digits) < 25 else -1, lower)


def _integer(at: int, value: int, text: str) -> int:
    """A negative value marks one with too many digits. 2^63 itself may follow a minus."""
    if text.endswith("u"):
        if not 0 <= value <= LARGEST_UNSIGNED:
            raise Problem(at, "invalid uint literal")
        return Uint(value)
    if not 0 <= value <= LARGEST + 1:
        raise Problem(at, "invalid int literal")
    return value


def _string(text: str, at: int, start: re.Match[str]) -> tuple[Token, int]:
    prefix, quote = start.group(1).lower(), start.group(2)
    raw, binary = "r" in prefix, "b" in prefix
    end = start.end()
    while not text.startswith(quote, end):
        if end >= len(text) or (len(quote) == 1 and text[end] in "\r\n"):
            raise Problem(at, f"Syntax error: token recognition error at: '{text[at:end][:20]}'")
        end += 2 if text[end] == "\\" and not raw else 1
    body = text[start.end() : end]
    plain = body.encode() if binary else body
    value = plain if raw else _unescaped(at, body, binary=binary)
    return Token("constant", at, text[at : end + len(quote)], value), end + len(quote)


def _unescaped(at: int, body: str, *, binary: bool) -> Any:
    def replaced(found: re.Match[str]) -> str:
        simple, hexadecimal, short, long, octal = found.groups()
        if simple is not None:
            return _SIMPLE.get(simple, simple)
        if binary and (short or long):
            raise Problem(at, "unable to unescape string")
        digits = hexadecimal or short or long
        number = int(digits, 16) if digits else int(octal, 8) if octal else -1
        if not 0 <= number <= 0x10FFFF or 0xD800 <= number < 0xE000:
            raise Problem(at, "unable to unescape string")
        return chr(number)

    if not binary:
        return _ESCAPE.sub(replaced, body)
    # In bytes an escape is one byte, and any other character is its UTF-8.
    pieces: list[bytes] = []
    last = 0
    for found in _ESCAPE.finditer(body):
        pieces += [body[last : found.start()].encode(), replaced(found).encode("latin-1")]
        last = found.end()
    return b"".join([*pieces, body[last:].encode()])
