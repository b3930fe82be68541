"""When a process that ended is started again."""

from hypothesis import given
from hypothesis import strategies as st

from sampan.daemon.restarts import LONGEST_PAUSE, Restarts


def test_the_first_end_is_followed_by_a_start_at_once() -> None:
    assert Restarts().at_start(100).at_end(100.5)[1] == 0


def test_pauses_double_up_to_five_seconds() -> None:
    record, pauses = Restarts(), []
    for _ in range(9):
        record, pause = record.at_start(0).at_end(1)
        pauses.append(pause)
    assert pauses == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]


def test_a_long_life_is_a_fresh_beginning() -> None:
    record = Restarts(early_ends=5).at_start(0)
    assert record.at_end(11) == (Restarts(0, 0, 1), 0)


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_no_pause_is_longer_than_the_longest(lives: list[float]) -> None:
    record = Restarts()
    for life in lives:
        record, pause = record.at_start(0).at_end(life)
        assert 0 <= pause <= LONGEST_PAUSE
    assert record.total == len(lives)
