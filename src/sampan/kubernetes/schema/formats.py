"""The formats of strings that an OpenAPI schema may name, as kube-openapi's `strfmt` knows them.

A name that isn't known says nothing. Pure; patterns run in linear time.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime

from sampan.kubernetes.expressions.budget import PER_OBJECT, Budget
from sampan.kubernetes.expressions.errors import BudgetExceeded
from sampan.kubernetes.expressions.regular_expressions import InvalidPattern, compiled, effort

_DURATION = re.compile(r"-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h|d|w))+|0")
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,255}")
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?i)(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?")
_SHORT_NAME = re.compile(_LABEL)
_LONG_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_UUID = re.compile(
    r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?([0-9a-f])[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}"
)
_MAC = re.compile(r"(?i)[0-9a-f]{2}(([:-])[0-9a-f]{2}){5,7}|[0-9a-f]{4}(\.[0-9a-f]{4}){2,3}")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+|/[^\s]*")
_HEX_COLOR = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_RGB_COLOR = re.compile(r"rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)")
_CARD = re.compile(r"[0-9]{12,19}")
_SSN = re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}")
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?")

__all__ = ["InvalidPattern", "Pattern", "holds", "known", "pattern"]

Pattern = Callable[[str], bool]


def pattern(text: str) -> Pattern:
    """Whether a value matches somewhere. Raises InvalidPattern.

    A value with which a pattern would keep the engine busy for seconds doesn't match; in a hurry
    (`expressions/patience`) any that takes longer than a moment ends in TookTooLong.
    """
    search = compiled(text).search

    def matches(value: str) -> bool:
        try:
            Budget(PER_OBJECT).spend(effort(value, text))
        except BudgetExceeded:
            return False
        return search(value) is not None

    return matches


def known(name: str) -> bool:
    """Whether the format says anything about strings."""
    return name.replace("-", "") in _CHECKS


def holds(name: str, text: str) -> bool:
    """Whether a text is of the format."""
    return _CHECKS[name.replace("-", "")](text)


def _matches(expression: re.Pattern[str]) -> Pattern:
    return lambda text: expression.fullmatch(text) is not None


def _parses(parse: Callable[[str], object]) -> Pattern:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _timestamp(text: str) -> object:
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text.upper().partition(".")[0].rstrip("Z")[:19])


def _network(text: str) -> object:
    if "/" not in text:
        raise ValueError(text)
    return ipaddress.ip_network(text, strict=False)


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _uuid(version: str) -> Pattern:
    def check(text: str) -> bool:
        found = _UUID.fullmatch(text)
        return found is not None and found.group(1) == version

    return check


def _isbn(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "").upper()
    if re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        weights = zip(digits, range(10, 0, -1), strict=True)
        return sum(_digit(it) * weight for it, weight in weights) % 11 == 0
    if re.fullmatch(r"[0-9]{13}", digits):
        return sum(int(it) * (3 if at % 2 else 1) for at, it in enumerate(digits)) % 10 == 0
    return False


def _digit(text: str) -> int:
    return 10 if text == "X" else int(text)


_CHECKS: dict[str, Pattern] = {
    "datetime": _parses(_timestamp),
    "date": _parses(date.fromisoformat),
    "duration": _matches(_DURATION),
    "email": _matches(_EMAIL),
    "hostname": _matches(_HOST),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "ip": _parses(ipaddress.ip_address),
    "cidr": _parses(_network),
    "mac": _matches(_MAC),
    "uri": _matches(_URI),
    "uuid": _matches(_UUID),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
    "byte": _base64,
    "bsonobjectid": _matches(_OBJECT_ID),
    "creditcard": _matches(_CARD),
    "ssn": _matches(_SSN),
    "hexcolor": _matches(_HEX_COLOR),
    "rgbcolor": _matches(_RGB_COLOR),
    "isbn": _isbn,
    "isbn10": lambda text: len(text.replace("-", "").replace(" ", "")) == 10 and _isbn(text),
    "isbn13": lambda text: len(text.replace("-", "").replace(" ", "")) == 13 and _isbn(text),
    "k8sshortname": _matches(_SHORT_NAME),
    "k8slongname": _matches(_LONG_NAME),
}
