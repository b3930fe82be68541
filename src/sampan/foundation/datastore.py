"""Where the server keeps its objects: in a file of its own, or in an etcd cluster.

Only names it; it must not touch the machine.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec

SQLITE = "sqlite"
VARIABLE = "SAMPAN_DATASTORE"
AUTHORITY_VARIABLE = "SAMPAN_DATASTORE_CA"
CERTIFICATE_VARIABLE = "SAMPAN_DATASTORE_CERT"
KEY_VARIABLE = "SAMPAN_DATASTORE_KEY"

_SCHEME = "etcd://"
_DEFAULT_PORT = 2379


class InvalidDatastore(ValueError):
    """The datastore is not named in a way that can be understood."""


class Datastore(msgspec.Struct, frozen=True, kw_only=True):
    """An etcd cluster, or without `endpoints` the embedded SQLite file.

    `prefix` is where in the cluster this instance's keys lie; with `authority` the
    connections are TLS, and `certificate` and `key` are shown to the cluster.
    """

    endpoints: tuple[str, ...] = ()
    prefix: str = ""
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_embedded(self) -> bool:
        return not self.endpoints


def datastore_of(values: Mapping[str, str], default_prefix: str) -> Datastore:
    """What `SAMPAN_DATASTORE` and its companions among `values` say.

    `sqlite` or nothing is the embedded store; `etcd://HOST:PORT,HOST:PORT[?prefix=/NAME]` a
    cluster. Raises InvalidDatastore.
    """
    text = values.get(VARIABLE, "") or SQLITE
    if text == SQLITE:
        return Datastore()
    if not text.startswith(_SCHEME):
        raise InvalidDatastore(
            f"{text!r} is no datastore: use {SQLITE!r} or etcd://HOST:PORT,HOST:PORT"
        )
    where, _, query = text.removeprefix(_SCHEME).partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(options.keys() - {"prefix"})
    if unknown:
        raise InvalidDatastore(f"a datastore has no option {unknown[0]!r}; there is 'prefix'")
    certificate, key = _path(values, CERTIFICATE_VARIABLE), _path(values, KEY_VARIABLE)
    authority = _path(values, AUTHORITY_VARIABLE)
    if (certificate is None) != (key is None):
        raise InvalidDatastore("a datastore's certificate and key come together or not at all")
    if certificate is not None and authority is None:
        raise InvalidDatastore("a datastore's certificate needs the authority of the cluster, too")
    return Datastore(
        endpoints=tuple(_endpoint(part) for part in where.rstrip("/").split(",")),
        prefix=_prefix(options.get("prefix", default_prefix)),
        authority=authority,
        certificate=certificate,
        key=key,
    )


def _path(values: Mapping[str, str], name: str) -> Path | None:
    return Path(values[name]).absolute() if values.get(name) else None


def _prefix(text: str) -> str:
    return "/" + text.strip("/") if text.strip("/") else ""


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidDatastore(f"{text!r} is no HOST:PORT") from error
    if not host or parts.path or "@" in text:
        raise InvalidDatastore(f"{text!r} is no HOST:PORT")
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port or _DEFAULT_PORT}"
