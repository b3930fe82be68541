"""URLs (k8s.io/apiserver `pkg/cel/library/urls.go`): absolute ones, or a path with a slash."""

import re
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from sampan.kubernetes.expressions.budget import traversal
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.types import BOOL, STRING, abstract, list_of, map_of
from sampan.kubernetes.expressions.values import Abstract

LIBRARY = Library()
URL = abstract("kubernetes.URL")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f]|%(?![0-9a-fA-F]{2})")
_PORT = re.compile(r"(?::\d*)?", re.ASCII)
_MOST_FIELDS = 10_000


class Url(Abstract):
    """A URL in its parts."""

    __slots__ = ("parts",)
    type_name = URL.name

    def __init__(self, parts: SplitResult) -> None:
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


def _parsed(text: str) -> Url:
    """Raises EvaluationFailed."""
    refusal = EvaluationFailed(
        f'URL parse error during conversion from string: parse "{text[:80]}": '
        "invalid URI for request"
    )
    if _FORBIDDEN.search(text) or not (text.startswith("/") or _SCHEME.match(text)):
        raise refusal
    try:
        # A request URI has no fragment: a sharp belongs to what stands before it.
        parts = urlsplit(text, allow_fragments=False)
        host = parts.netloc.rpartition("@")[2]
        rest = host[host.find("]") + 1 :] if host.startswith("[") else host[host.find(":") :]
        if ":" in rest and not _PORT.fullmatch(rest):
            raise refusal
    except ValueError as error:
        raise refusal from error
    return Url(parts)


def _is_url(text: str) -> bool:
    try:
        _parsed(text)
    except EvaluationFailed:
        return False
    return True


def _host(url: Url) -> str:
    return url.parts.netloc.rpartition("@")[2]


def _hostname(url: Url) -> str:
    host = _host(url)
    if host.startswith("["):
        return host[1 : host.find("]")]
    return host.partition(":")[0]


def _port(url: Url) -> str:
    host = _host(url)
    return (
        host[host.find("]") + 1 :].rpartition(":")[2] if ":" in host[host.find("]") + 1 :] else ""
    )


def _query(url: Url) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(url.parts.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise EvaluationFailed(str(error)) from error
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _once(text: Any) -> int:
    return max(1, traversal(text))


def _size(url: Url) -> int:
    """Reading a part of a URL costs reading the URL."""
    return max(1, sum(map(len, url.parts)) // 10)


def _estimate(size: int) -> int:
    return -(-size // 10)


LIBRARY.function("url", Overload((STRING,), URL, _parsed, cost=_once, estimate=_estimate))
LIBRARY.function("isURL", Overload((STRING,), BOOL, _is_url, cost=_once, estimate=_estimate))
LIBRARY.method("getScheme", Overload((URL,), STRING, lambda it: it.parts.scheme, cost=_size))
LIBRARY.method("getHost", Overload((URL,), STRING, _host, cost=_size))
LIBRARY.method("getHostname", Overload((URL,), STRING, _hostname, cost=_size))
LIBRARY.method("getPort", Overload((URL,), STRING, _port, cost=_size))
LIBRARY.method(
    "getEscapedPath",
    Overload(
        (URL,), STRING, lambda it: quote(it.parts.path, safe="/%:@!$&'()*+,;=-._~"), cost=_size
    ),
)
LIBRARY.method("getQuery", Overload((URL,), map_of(STRING, list_of(STRING)), _query, cost=_size))
