"""The caches that a client of BuildKit names with `--cache-from` and `--cache-to`. Pure.

Source: BuildKit's control.proto, `CacheOptions`; imports come as JSON among the frontend's options.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sampan.engine.build.contract import CacheLocation
from sampan.engine.contract import InvalidConfiguration, NotImplementedHere
from sampan.foundation.wire.protobuf_fields import Fields

_EXPORTS = 4
_IMPORTS_OPTION, _OLD_IMPORTS_OPTION = "cache-imports", "cache-from"
_INLINE_ARGUMENT = "build-arg:BUILDKIT_INLINE_CACHE"
_INLINE = "inline"


class CacheOption(msgspec.Struct, frozen=True, rename="pascal"):
    """One `--cache-from` or `--cache-to`: `type=` and the rest."""

    type: str
    attrs: dict[str, str] = {}


def exports_in(options: Fields) -> tuple[CacheOption, ...]:
    """Those of a CacheOptions."""
    found = (Fields(encoded) for encoded in options.all(_EXPORTS))
    return tuple(CacheOption(each.text(1), each.mapping(2)) for each in found)


def has_inline_cache(exports: Sequence[CacheOption], frontend: Mapping[str, str]) -> bool:
    """Whether the image itself is to tell later builds of its steps."""
    asked = frontend.get(_INLINE_ARGUMENT, "").lower() in ("1", "true")
    return asked or any(option.type == _INLINE for option in exports)


def export_locations(exports: Sequence[CacheOption]) -> tuple[CacheLocation, ...]:
    """Raises InvalidConfiguration, NotImplementedHere."""
    return tuple(_location(option, "dest") for option in exports if option.type != _INLINE)


def import_locations(frontend: Mapping[str, str]) -> tuple[CacheLocation, ...]:
    """Raises InvalidConfiguration, NotImplementedHere."""
    return tuple(_location(option, "src") for option in _imports(frontend))


def _imports(frontend: Mapping[str, str]) -> Iterator[CacheOption]:
    text = frontend.get(_IMPORTS_OPTION, "")
    if not text:
        names = frontend.get(_OLD_IMPORTS_OPTION, "").split(",")
        yield from (CacheOption("registry", {"ref": name}) for name in names if name)
        return
    try:
        yield from msgspec.json.decode(text, type=list[CacheOption])
    except msgspec.DecodeError as error:
        raise InvalidConfiguration(f"error reading {_IMPORTS_OPTION}: {error}") from error


def _location(option: CacheOption, folder: str) -> CacheLocation:
    attributes = option.attrs
    mode = attributes.get("mode", "min")
    if mode not in ("min", "max"):
        raise InvalidConfiguration(f"unknown mode of a cache: {mode[:40]}")
    ignores_errors = attributes.get("ignore-error", "").lower() in ("1", "true")
    match option.type:
        case "registry":
            place = attributes.get("ref", "")
        case "local":
            place = attributes.get(folder, "")
            place = place and f"local:{place}"
        case _:
            raise NotImplementedHere(f"a cache of the kind {option.type[:40]!r}")
    if not place:
        raise InvalidConfiguration(f"a cache of the kind {option.type} needs a place")
    return CacheLocation(
        kind="registry" if option.type == "registry" else "client",
        place=place,
        digest=attributes.get("digest", ""),
        mode="max" if mode == "max" else "min",
        ignores_errors=ignores_errors,
    )
