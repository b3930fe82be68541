"""Platforms as clients name them: `os/architecture[/variant]`, or OCI's document as JSON. Pure."""

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import Platform


def platform_of(text: str) -> str:
    """In the first form, "" for none. Raises InvalidConfiguration."""
    if not text.startswith("{"):
        return text
    try:
        document = msgspec.json.decode(text, type=Platform)
    except msgspec.DecodeError as error:
        raise InvalidConfiguration(f"invalid platform: {error}") from error
    return "/".join(filter(None, (document.os, document.architecture, document.variant)))
