"""One candidate leads, never two, through deaths, cuts and failing work. Time is virtual."""

import asyncio

import msgspec
import pytest

from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.client.contract import NotFound
from sampan.kubernetes.client.leader_election import LeaderElection, LeaseTimes
from sampan.kubernetes.kinds.resource import LEASES
from sampan.testing import virtual_clock

TIMES = LeaseTimes()
LONGEST_SECONDS = 15.0


class Line:
    """One candidate's own connection, which can hang or break."""

    def __init__(self, wire):
        self._wire = wire
        self.hangs = False
        self.broken = False

    async def send(self, request):
        if self.broken:
            raise ConnectionError("cut")
        if self.hangs:
            await asyncio.Event().wait()
        return await self._wire.send(request)

    async def close(self):
        """Nothing is held."""


class Candidate:
    """Stands for election, and notes when it leads; two at once are an error."""

    def __init__(self, wire, name, leading):
        self.line = Line(wire)
        self.name = name
        self.terms = []
        self.failure = None
        self._leading = leading
        self._election = LeaderElection(
            ApiClient(self.line),
            namespace="kube-system",
            name="work",
            identity=name,
            clock=virtual_clock.running_loop().now,
            times=TIMES,
        )
        self._task = asyncio.create_task(self._election.campaign(self._work))

    async def _work(self):
        assert not self._leading, "two lead at once"
        self._leading.append(self)
        self.terms.append(asyncio.get_running_loop().time())
        try:
            if self.failure is not None:
                raise self.failure
            await asyncio.Event().wait()
        finally:
            self._leading.remove(self)

    async def end(self):
        self._task.cancel()
        await asyncio.wait([self._task])


class Election:
    def __init__(self, wire):
        self._wire = wire
        self.leading = []
        self.candidates = []

    def stand(self, name):
        self.candidates.append(Candidate(self._wire, name, self.leading))
        return self.candidates[-1]

    async def leader(self, *, other_than=None):
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not self.leading or self.leading[0] is other_than:
            assert loop.time() - began < LONGEST_SECONDS, "nobody leads"
            await asyncio.sleep(0.1)
        return self.leading[0]


@pytest.fixture
def hold(play_in_process):
    def run(story):
        async def told(client, wire):
            election = Election(wire)
            try:
                await story(election, client)
            finally:
                for candidate in election.candidates:
                    await candidate.end()

        play_in_process(told, seconds=1000)

    return run


async def lease(client):
    return msgspec.json.decode(await client.get(LEASES, "work", "kube-system"))


def test_one_of_several_leads_and_keeps_leading(hold):
    async def story(election, client):
        candidates = [election.stand(name) for name in "abc"]
        first = await election.leader()
        await asyncio.sleep(200)
        assert election.leading == [first]
        assert sum(len(it.terms) for it in candidates) == 1
        spec = (await lease(client))["spec"]
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == (first.name, 0)
        assert spec["leaseDurationSeconds"] == TIMES.duration_seconds

    hold(story)


def test_who_leaves_in_order_is_followed_at_once(hold):
    async def story(election, client):
        first = election.stand("a")
        await election.leader()
        second = election.stand("b")
        await asyncio.sleep(5)
        loop = asyncio.get_running_loop()
        left = loop.time()
        await first.end()
        assert await election.leader() is second
        assert loop.time() - left <= TIMES.retry_seconds + 0.2
        assert (await lease(client))["spec"]["leaseTransitions"] >= 1

    hold(story)


@pytest.mark.parametrize("fault", ["hangs", "broken"])
def test_who_falls_silent_is_replaced_and_stops_before(hold, fault):
    async def story(election, _client):
        first = election.stand("a")
        await election.leader()
        second = election.stand("b")
        await asyncio.sleep(31.3)
        setattr(first.line, fault, True)
        assert await election.leader(other_than=first) is second
        setattr(first.line, fault, False)
        await asyncio.sleep(60)
        assert election.leading == [second]
        setattr(second.line, fault, True)
        assert await election.leader(other_than=second) is first

    hold(story)


def test_a_short_silence_costs_nobody_the_lease(hold):
    async def story(election, _client):
        first = election.stand("a")
        await election.leader()
        election.stand("b")
        for _ in range(10):
            first.line.hangs = True
            await asyncio.sleep(1.5)
            first.line.hangs = False
            await asyncio.sleep(9)
        assert election.leading == [first]

    hold(story)


def test_work_that_fails_gives_the_lease_up(hold, caplog: pytest.LogCaptureFixture):
    async def story(election, _client):
        first = election.stand("a")
        first.failure = ValueError("no good")
        await asyncio.sleep(1)
        second = election.stand("b")
        assert await election.leader() is second

    hold(story)
    assert "the leader's work failed" in caplog.text


def test_what_others_wrote_on_the_lease_stays(hold):
    async def story(election, client):
        election.stand("a")
        await election.leader()
        note = {"metadata": {"labels": {"team": "red"}}}
        await client.patch(LEASES, "work", note, "kube-system")
        await asyncio.sleep(20)
        found = await lease(client)
        assert found["metadata"]["labels"] == {"team": "red"}
        assert found["spec"]["holderIdentity"] == "a"

    hold(story)


def test_a_lease_that_is_deleted_is_made_again(hold):
    async def story(election, client):
        first = election.stand("a")
        await election.leader()
        await client.delete(LEASES, "work", "kube-system")
        with pytest.raises(NotFound):
            await lease(client)
        await asyncio.sleep(5)
        assert (await lease(client))["spec"]["holderIdentity"] == "a"
        assert len(first.terms) == 1

    hold(story)


@pytest.mark.parametrize("times", [(5, 5.0, 1.0), (10, 2.0, 2.0), (10, 7.0, 0.0)])
def test_times_that_let_two_lead_are_refused(times):
    duration, deadline, retry = times
    with pytest.raises(ValueError, match="longer"):
        LeaseTimes(duration_seconds=duration, renew_deadline_seconds=deadline, retry_seconds=retry)
