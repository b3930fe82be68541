"""What a request says of itself."""

import pytest

from sampan.foundation.wire.message import Request


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ((), False),
        ((("watch", "false"),), False),
        ((("watch", "False"),), False),
        ((("watch", "0"),), False),
        ((("watch", "true"),), True),
        ((("watch", "True"),), True),
        ((("watch", "1"),), True),
        ((("watch", ""),), True),
        ((("other", "true"),), False),
    ],
)
def test_a_flag_is_set_unless_it_says_no(query, meant):
    assert Request(method="GET", path="/", query=query).flag("watch") is meant
