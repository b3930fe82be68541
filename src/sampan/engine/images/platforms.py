"""Platforms of images: `os/architecture[/variant]`, and which of several fits one. Pure.

An index names a platform with each of its manifests (OCI image specification, image-index).
"""

import platform
from collections.abc import Sequence

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import Descriptor, Platform, architecture_of

_LINUX = "linux"
_NORMAL = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_USUAL_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


def machine_platform() -> Platform:
    """That of this machine."""
    return parse_platform(f"{_LINUX}/{architecture_of(platform.machine())}")


def parse_platform(text: str) -> Platform:
    """`linux/arm64/v8`, or an architecture alone. Raises InvalidConfiguration."""
    parts = [part.lower() for part in text.split("/")]
    if not all(parts) or len(parts) > 3:
        raise InvalidConfiguration(
            f'"{text[:80]}": cannot parse platform specifier: invalid argument'
        )
    os_name, architecture, variant = _LINUX, parts[0], ""
    if len(parts) == 1 and parts[0] == _LINUX:
        architecture = architecture_of(platform.machine())
    elif len(parts) > 1:
        os_name, architecture = parts[0], parts[1]
        variant = parts[2] if len(parts) == 3 else ""
    architecture, usual = _NORMAL.get(architecture, (architecture, ""))
    return Platform(architecture=architecture, os=os_name, variant=variant or usual)


def platform_text(wanted: Platform) -> str:
    return "/".join(part for part in (wanted.os, wanted.architecture, wanted.variant) if part)


def fits(offered: Platform | None, wanted: Platform) -> bool:
    """A variant that one of both leaves out is the usual one of the architecture."""
    if offered is None:
        return True
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return False
    return _variant(offered) == _variant(wanted)


def chosen_of(manifests: Sequence[Descriptor], wanted: Platform) -> Descriptor | None:
    """The first that fits; one that names no platform only when no other fits."""
    fitting = [it for it in manifests if fits(it.platform, wanted)]
    named = [it for it in fitting if it.platform is not None]
    return next(iter((*named, *fitting)), None)


def _variant(it: Platform) -> str:
    return it.variant or _USUAL_VARIANTS.get(it.architecture, "")
