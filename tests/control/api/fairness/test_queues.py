"""Hands, full queues, and turns between a flood and everybody else."""

from hypothesis import given
from hypothesis import strategies as st

from sampan.control.api.fairness.configuration import Queuing
from sampan.control.api.fairness.queues import Queues, deal


@given(st.text(), st.integers(1, 200), st.integers(1, 12))
def test_a_hand_is_of_different_queues_and_always_the_same(
    flow: str, queues: int, size: int
) -> None:
    hand = deal(flow, queues, size)
    assert len(hand) == len(set(hand)) == min(size, queues)
    assert all(0 <= card < queues for card in hand)
    assert hand == deal(flow, queues, size)


def test_hands_are_spread_over_all_queues() -> None:
    dealt = {card for number in range(200) for card in deal(f"flow-{number}", 64, 8)}
    assert dealt == set(range(64))


def test_a_full_queue_takes_no_more() -> None:
    queues: Queues[int] = Queues(Queuing(queues=1, hand_size=1, queue_length_limit=2))
    queue = queues.choose("flow")
    assert [queues.join(queue, item, 1) for item in range(3)] == [True, True, False]
    assert queues.length == 2


def test_who_leaves_is_not_served() -> None:
    queues: Queues[str] = Queues(Queuing(queues=4, hand_size=2))
    for item in ("a", "b", "c"):
        queues.join(queues.choose("flow"), item, 1)
    for queue in queues._queues:
        queues.leave(queue, "b")
    served = [queues.take()[1] for _ in range(queues.length)]
    assert sorted(served) == ["a", "c"]
    assert queues.next_width() is None


def test_one_of_another_flow_is_served_among_the_first_of_a_flood() -> None:
    queues: Queues[str] = Queues(Queuing(queues=64, hand_size=8, queue_length_limit=50))
    joined = sum(queues.join(queues.choose("flood"), "flood", 1) for _ in range(500))
    assert joined == 400
    assert queues.join(queues.choose("somebody"), "somebody", 1)
    order = []
    while queues.length:
        queue, item, width = queues.take()
        order.append(item)
        queue.finish(width, 0.05)
    assert order.index("somebody") <= 9


def test_a_queue_of_long_requests_gets_fewer_turns() -> None:
    queues: Queues[str] = Queues(Queuing(queues=2, hand_size=1))
    names = {tuple(deal(str(number), 2, 1)): str(number) for number in range(20)}
    slow, quick = names[(0,)], names[(1,)]
    for _ in range(40):
        queues.join(queues.choose(slow), "slow", 1)
        queues.join(queues.choose(quick), "quick", 1)
    served = []
    for _ in range(40):
        queue, item, width = queues.take()
        served.append(item)
        queue.finish(width, 0.3 if item == "slow" else 0.1)
    assert 2 <= served.count("quick") / served.count("slow") <= 4
