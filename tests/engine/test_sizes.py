"""Sizes are read as Docker reads them; nothing else passes for one."""

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.sizes import binary_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1048576", 1 << 20),
        ("1k", 1024),
        ("10M", 10 << 20),
        ("1.5g", 3 << 29),
        ("2GiB", 2 << 30),
        ("2 gb", 2 << 30),
        ("1p", 1 << 50),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert binary_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1x", "g", "1.2.3g", "9" * 30, "99999999p", "1g\0"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InvalidConfiguration, match="invalid size: "):
        binary_size(text)
