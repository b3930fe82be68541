"""Sizes as people write them: `10485760`, `10m`, `1.5GiB`. Pure."""

import re

from sampan.engine.contract import InvalidConfiguration

_FORM = re.compile(r"(\d{1,19}(?:\.\d{1,9})?) ?([bkmgtp]?)i?b?", re.IGNORECASE)
_UNITS = "bkmgtp"
_LARGEST = (1 << 63) - 1


def size_in_bytes(text: str, unit: int) -> int | None:
    """By units of 1000 or of 1024; None for what is no size, or larger than any."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    size = int(float(found[1]) * unit ** _UNITS.index((found[2] or "b").lower()))
    return size if size <= _LARGEST else None


def binary_size(text: str) -> int:
    """By units of 1024, as Docker reads sizes of memory and of storage (InvalidConfiguration)."""
    size = size_in_bytes(text.strip(), 1024)
    if size is None:
        raise InvalidConfiguration(f"invalid size: '{text[:40]}'")
    return size
