"""When containers are started again, and after how long."""

import pytest

from sampan.engine.containers.configuration import RestartPolicy
from sampan.engine.containers.restart_policy import checked, next_pause, restarts, restored
from sampan.engine.contract import InvalidConfiguration


def policy(name: str, most: int = 0) -> RestartPolicy:
    return RestartPolicy(name=name, maximum_retry_count=most)


@pytest.mark.parametrize(
    ("name", "exit_code", "by_hand", "expected"),
    [
        ("no", 1, False, False),
        ("", 1, False, False),
        ("always", 0, False, True),
        ("always", 0, True, False),
        ("unless-stopped", 0, False, True),
        ("unless-stopped", 0, True, False),
        ("on-failure", 0, False, False),
        ("on-failure", 3, False, True),
        ("on-failure", 3, True, False),
    ],
)
def test_an_end_is_followed_by_a_start(
    name: str, exit_code: int, by_hand: bool, expected: bool
) -> None:
    assert restarts(policy(name), exit_code, by_hand=by_hand, count=0) is expected


def test_failures_are_counted() -> None:
    assert restarts(policy("on-failure", 2), 1, by_hand=False, count=1)
    assert not restarts(policy("on-failure", 2), 1, by_hand=False, count=2)


def test_a_new_life_of_the_engine_starts_what_was_stopped_by_hand_only_if_always() -> None:
    assert restored(policy("always"), 0, by_hand=True, count=0)
    assert not restored(policy("unless-stopped"), 0, by_hand=True, count=0)
    assert restored(policy("unless-stopped"), 255, by_hand=False, count=0)
    assert not restored(policy("no"), 255, by_hand=False, count=0)


def test_pauses_double_and_begin_anew_after_a_steady_run() -> None:
    pauses, pause = [], 0.0
    for _ in range(12):
        pause = next_pause(pause, 0.1)
        pauses.append(round(pause, 1))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]
    assert next_pause(60.0, 11) == 0.1


@pytest.mark.parametrize(
    "wrong", [policy("sometimes"), policy("always", 3), policy("on-failure", -1)]
)
def test_wrong_policies_are_refused(wrong: RestartPolicy) -> None:
    with pytest.raises(InvalidConfiguration, match="invalid restart policy"):
        checked(wrong)
