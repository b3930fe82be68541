"""Sizes as people write them: `10485760`, `10m`, `1.5GiB`. Pure."""

import re

from sampan.engine.contract import InvalidConfiguration

_FORM = re.compile(r"(\d{1,19}(?:\.\d{1,9})?) ?([bkmgtp]?)i?b?", re.IGNORECASE)
_UNITS = "bkmgtp"
_LARGEST = (1 << 63) - 1


def binary_size(text: str) -> int:
    """In bytes, by units of 1024, as Docker reads sizes of memory and of storage.

    Raises InvalidConfiguration.
    """
    found = _FORM.fullmatch(text.strip())
    if found is not None:
        size = int(float(found[1]) * 1024 ** _UNITS.index((found[2] or "b").lower()))
        if size <= _LARGEST:
            return size
    raise InvalidConfiguration(f"invalid size: '{text[:40]}'")
