"""The order in which pods wait, rest and wait again."""

from sampan.control.scheduler.pending import Pending


def test_higher_priority_first_then_first_come() -> None:
    pending = Pending()
    for key, priority in (("a", 0), ("b", 10), ("c", 0), ("a", 5)):
        pending.add(key, priority)
    assert [pending.pop() for _ in range(4)] == ["b", "a", "c", None]


def test_a_discarded_pod_is_not_handed_out() -> None:
    pending = Pending()
    pending.add("a", 0)
    pending.discard("a")
    assert pending.pop() is None


def test_a_refused_pod_rests_until_something_changes_and_its_backoff_is_over() -> None:
    pending = Pending()
    pending.rest("a", 0, now=0.0)
    assert pending.rise(now=100.0) is None
    assert pending.pop() is None
    pending.stir()
    assert pending.rise(now=0.0) == 0.05
    assert pending.rise(now=0.05) is None
    assert pending.pop() == "a"


def test_the_backoff_doubles_up_to_a_second() -> None:
    pending = Pending()
    delays = []
    for _ in range(8):
        pending.rest("a", 0, now=0.0)
        pending.stir()
        delays.append(pending.rise(now=0.0))
    assert delays == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
