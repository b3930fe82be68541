"""Values as people read them."""

import pytest

from sampan.faces.cli.engine.human_values import written_time


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-24T02:37:07.453670970Z", "2026-11-24 02:37:07.45367097 +0000 UTC"),
        ("2026-11-24T02:37:07.000000000Z", "2026-11-24 02:37:07 +0000 UTC"),
        ("2026-11-24T02:37:10Z", "2026-11-24 02:37:10 +0000 UTC"),
        ("not a time", "not a time"),
    ],
)
def test_times_are_written_as_go_does(text: str, written: str) -> None:
    assert written_time(text) == written
