"""Quantities: exact parsing, comparison and the canonical form.

The form is that of k8s.io/apimachinery `resource.Quantity`: a decimal number and a suffix,
binary (Ki … Ei), decimal (n, u, m, "", k … E) or an exponent (e3). Values are exact `Decimal`s.
"""

import re
from decimal import ROUND_CEILING, Context, Decimal, Inexact
from functools import lru_cache

FORM_MESSAGE = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_MAXIMUM_LENGTH = 64
_MAXIMUM_EXPONENT = 40
_FORM = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?"
)
_BINARY = {
    suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
}
_DECIMAL_EXPONENTS = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_DECIMAL_SUFFIXES = {exponent: suffix for suffix, exponent in _DECIMAL_EXPONENTS.items()}
_EXACT = Context(prec=200)
_LIMIT = Decimal(2**63 - 1)
_NANO = Decimal(1).scaleb(-9)


class InvalidQuantity(ValueError):
    """The text is no quantity."""

    def __init__(self, text: object) -> None:
        super().__init__(FORM_MESSAGE)
        self.text = text


def parse(text: str | int | float) -> Decimal:
    """The exact value; more than nine decimals are rounded up. Raises InvalidQuantity."""
    return _parsed(str(text))[0]


def canonical(text: str | int | float) -> str:
    """The form in which the API server shows a quantity: `0.5` is `500m`, `1024Mi` is `1Gi`.

    The family of the suffix (binary, decimal, exponent) is kept. Raises InvalidQuantity.
    """
    return _canonical(str(text))


def show(value: Decimal, *, binary: bool = False) -> str:
    """A value in canonical form: `binary` for bytes, 1Gi, and otherwise decimal, 500m."""
    return _binary_form(value) if binary else _decimal_form(value, exponent_form=False)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Decimal, str]:
    """The value, and its family: `binary`, `decimal` or `exponent`."""
    match = _FORM.fullmatch(text) if len(text) <= _MAXIMUM_LENGTH else None
    if match is None:
        raise InvalidQuantity(text)
    number, binary, decimal, exponent = match.groups()
    value = Decimal(number)
    family = "decimal"
    if binary:
        value, family = _EXACT.multiply(value, Decimal(_BINARY[binary])), "binary"
    elif decimal:
        value = _EXACT.scaleb(value, _DECIMAL_EXPONENTS[decimal])
    elif exponent:
        if abs(int(exponent)) > _MAXIMUM_EXPONENT:
            raise InvalidQuantity(text)
        value, family = _EXACT.scaleb(value, int(exponent)), "exponent"
    return _bounded(value), family


def _bounded(value: Decimal) -> Decimal:
    """Cap at 2^63-1 and round away from zero to nano units, as the API machinery does."""
    if abs(value) > _LIMIT:
        return _LIMIT.copy_sign(value)
    rounded = abs(value).quantize(_NANO, rounding=ROUND_CEILING, context=_EXACT)
    return rounded.copy_sign(value)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    value, family = _parsed(text)
    if family == "binary":
        return _binary_form(value)
    return _decimal_form(value, exponent_form=family == "exponent")


def _binary_form(value: Decimal) -> str:
    """Binary suffixes are used for whole numbers of at least 1024; others become decimal."""
    if value != value.to_integral_value() or abs(value) < 1024:
        return _decimal_form(value, exponent_form=False)
    number, chosen = int(value), ""
    for suffix in _BINARY:
        if number % 1024:
            break
        number, chosen = number // 1024, suffix
    return f"{number}{chosen}"


def _decimal_form(value: Decimal, *, exponent_form: bool) -> str:
    if not value:
        return "0"
    for exponent in range(18, -12, -3):
        scaled = _EXACT.scaleb(value, -exponent)
        if scaled == scaled.to_integral_value():
            suffix = _DECIMAL_SUFFIXES[exponent]
            if exponent_form and exponent:
                suffix = f"e{exponent}"
            return f"{int(scaled)}{suffix}"
    raise Inexact(f"{value} has more than nine decimals")
