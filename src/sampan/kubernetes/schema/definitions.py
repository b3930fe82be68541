"""The schema of Kubernetes 1.37, looked up by definition name or by group, version and kind.

One file holds every definition, each encoded by itself, so that loading costs a few
milliseconds and only definitions that someone asks for become objects. The prose lives in a
second file that is read when OpenAPI is asked for. Nothing here checks objects.
"""

from functools import cache, lru_cache
from importlib import resources

import msgspec
import zstandard

VERSION = "1.37"
_MAXIMUM_SIZE = 16 << 20


class UnknownDefinition(KeyError):
    """No definition has this name, or stands for this kind."""


class Schema(msgspec.Struct, frozen=True):
    """One schema: a reference to a definition, or a type.

    `type` is object, array, string, integer, number, boolean, quantity, int-or-string or any;
    it is empty where `ref` names a definition. `values` is the schema of a map's values.
    An object with neither properties nor values keeps whatever it holds.
    """

    type: str = ""
    ref: str = ""
    format: str = ""
    properties: dict[str, "Schema"] = {}
    required: tuple[str, ...] = ()
    items: "Schema | None" = None
    values: "Schema | None" = None
    merge_key: str = ""
    patch_strategies: tuple[str, ...] = ()
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    unions: tuple[msgspec.Raw, ...] = ()
    kinds: tuple[tuple[str, str, str], ...] = ()


class _File(msgspec.Struct):
    kinds: dict[str, str]
    definitions: dict[str, msgspec.Raw]


_schema_decoder = msgspec.msgpack.Decoder(Schema)


def _read(name: str) -> bytes:
    packed = resources.files(__package__).joinpath(name).read_bytes()
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MAXIMUM_SIZE)


@cache
def _file() -> _File:
    return msgspec.msgpack.decode(_read(f"definitions-{VERSION}.zst"), type=_File)


@cache
def definition(name: str) -> Schema:
    """The definition of that name, such as `io.k8s.api.core.v1.Pod`.

    Raises UnknownDefinition.
    """
    encoded = _file().definitions.get(name)
    if encoded is None:
        raise UnknownDefinition(name)
    return _schema_decoder.decode(encoded)


def definition_name(group: str, version: str, kind: str) -> str:
    """The name of the definition of a kind; raises UnknownDefinition."""
    name = _file().kinds.get(f"{group}/{version}/{kind}")
    if name is None:
        raise UnknownDefinition(f"{group}/{version}/{kind}")
    return name


def resolve(schema: Schema) -> Schema:
    """The schema itself, or the definition that it refers to."""
    return definition(schema.ref) if schema.ref else schema


@lru_cache(maxsize=1)
def descriptions() -> dict[str, dict[str, str]]:
    """For each definition its prose: that of the whole under "", that of properties by name."""
    return msgspec.msgpack.decode(
        _read(f"descriptions-{VERSION}.zst"), type=dict[str, dict[str, str]]
    )


def reachable(roots: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all definitions that `roots` lead to, themselves included, sorted."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_references(definition(name)))
    return tuple(sorted(found))


def _references(schema: Schema) -> list[str]:
    if schema.ref:
        return [schema.ref]
    members = [*schema.properties.values(), schema.items, schema.values]
    return [name for member in members if member is not None for name in _references(member)]
