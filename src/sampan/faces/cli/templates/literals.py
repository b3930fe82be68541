"""The numbers, strings and characters that stand in a template, as Go writes them."""

import re

from sampan.faces.cli.templates.values import TemplateFailed

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))",
    re.DOTALL,
)
_LETTERS = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}


def string(word: str) -> str:
    """What a quoted word says. Raises TemplateFailed."""
    if word.startswith("`"):
        return word[1:-1]
    return _ESCAPE.sub(_unescaped, word[1:-1])


def character(word: str) -> int:
    """A character's number. Raises TemplateFailed."""
    text = string(word)
    if len(text) != 1:
        raise TemplateFailed(f"{word} is not one character")
    return ord(text)


def number(word: str) -> int | float:
    """Raises TemplateFailed."""
    plain = word.replace("_", "")
    octal = plain.lstrip("+-")
    try:
        if len(octal) > 1 and octal.startswith("0") and octal.isdigit():
            return int(plain, 8)
        if re.search(r"[.eE]", plain) and not octal.lower().startswith("0x"):
            return float(plain)
        return int(plain, 0)
    except ValueError as error:
        raise TemplateFailed(f"{word} is not a number") from error


def _unescaped(match: re.Match[str]) -> str:
    letter, byte, octal, short, long, other = match.groups()
    if letter is not None:
        return _LETTERS[letter]
    if other is not None:
        raise TemplateFailed(f"unknown escape \\{other} in a string")
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise TemplateFailed(f"{match.group()} is no character")
    return chr(code)
