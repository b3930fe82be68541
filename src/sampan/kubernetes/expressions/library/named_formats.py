"""Named formats (k8s.io/apiserver `pkg/cel/library/format.go`): `format.dns1123Label()…`."""

import re
from collections.abc import Callable, Iterable

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.library.urls import LIBRARY as URLS
from sampan.kubernetes.expressions.times import parse_timestamp
from sampan.kubernetes.expressions.types import STRING, abstract, list_of, optional_of
from sampan.kubernetes.expressions.values import ABSENT, Abstract, Optional
from sampan.kubernetes.machinery import names

LIBRARY = Library()
FORMAT = abstract("kubernetes.NamedFormat")
_UUID = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE
)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LONGEST = 1 << 20

Check = Callable[[str], Iterable[str]]


class NamedFormat(Abstract):
    """A form of texts, with the check that tells what is wrong with one."""

    __slots__ = ("check", "name")
    type_name = FORMAT.name

    def __init__(self, name: str, check: Check) -> None:
        self.name = name
        self.check = check

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedFormat) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def _prefix(check: Check) -> Check:
    """A name that the server completes may end in a hyphen."""

    def run(text: str) -> Iterable[str]:
        return check(text[:-1] + "a" if len(text) > 1 and text.endswith("-") else text)

    return run


def _form(pattern: re.Pattern[str], message: str) -> Check:
    def run(text: str) -> Iterable[str]:
        fits = len(text) <= _LONGEST and pattern.fullmatch(text) is not None
        return () if fits else (message,)

    return run


def _is_moment(text: str) -> Iterable[str]:
    try:
        parse_timestamp(text)
    except EvaluationFailed:
        return ("invalid datetime",)
    return ()


def _is_date(text: str) -> Iterable[str]:
    if not _DATE.fullmatch(text) or _is_moment(f"{text}T00:00:00Z"):
        return ("invalid date",)
    return ()


def _is_uri(text: str) -> Iterable[str]:
    return () if URLS.functions["isURL"][0].run(text) else ("invalid URI for request",)


FORMATS: dict[str, NamedFormat] = {
    name: NamedFormat(name, check)
    for name, check in {
        "dns1123Label": names.label,
        "dns1123Subdomain": names.subdomain,
        "dns1035Label": names.label_1035,
        "qualifiedName": names.qualified_name,
        "dns1123LabelPrefix": _prefix(names.label),
        "dns1123SubdomainPrefix": _prefix(names.subdomain),
        "dns1035LabelPrefix": _prefix(names.label_1035),
        "labelValue": names.label_value,
        "uri": _is_uri,
        "uuid": _form(_UUID, "does not match the UUID format"),
        "byte": _form(_BASE64, "invalid base64"),
        "date": _is_date,
        "datetime": _is_moment,
    }.items()
}


def _validated(named: NamedFormat, text: str) -> Optional:
    problems = list(named.check(text))
    return Optional(True, problems) if problems else ABSENT


def _named(name: str) -> Optional:
    found = FORMATS.get(name)
    return ABSENT if found is None else Optional(True, found)


for _name, _named_format in FORMATS.items():
    LIBRARY.function(f"format.{_name}", Overload((), FORMAT, lambda it=_named_format: it))
LIBRARY.function("format.named", Overload((STRING,), optional_of(FORMAT), _named))
LIBRARY.method(
    "validate",
    Overload(
        (FORMAT, STRING),
        optional_of(list_of(STRING)),
        _validated,
        cost=lambda _format, text: 1 + len(text),
        estimate=lambda _format, size: 1 + size,
    ),
)
