"""What the names of nodes may begin with."""

import pytest

from sampan.foundation.node_prefix import InvalidPrefix, checked


@pytest.mark.parametrize("prefix", ["", "a-", "east-1-", "0-", "x" * 40 + "-"])
def test_parts_of_labels_that_end_in_a_dash(prefix):
    assert checked(prefix) == prefix


@pytest.mark.parametrize(
    "prefix", ["-", "east", "East-", "a.b-", "../", "-a-", "x" * 41 + "-", "a\n-"]
)
def test_whatever_else_is_refused(prefix):
    with pytest.raises(InvalidPrefix):
        checked(prefix)
