"""How the story of a certificate goes on."""

import msgspec

from sampan.node.cluster_view import CertificateRequest
from sampan.node.volumes.pod_certificates import (
    RENEWAL_PAUSE_SECONDS,
    UNSEEN_SECONDS,
    Credential,
    Held,
    Pending,
    State,
    next_look_at,
    next_request_at,
    outcome,
    settled,
)

PENDING = Pending("web-1", b"key", asked_at=100.0)
HELD = Held(Credential(b"old key", b"old chain"), refresh_at=50.0, ends_at=1000.0)


def request(answer="", **status):
    conditions = [{"type": answer, "status": "True", "reason": "R", "message": "M"}]
    raw = {
        "metadata": {"name": "web-1", "namespace": "shop"},
        "spec": {"podUID": "u"},
        "status": {"conditions": conditions if answer else [], **status},
    }
    return msgspec.convert(raw, CertificateRequest)


ISSUED = request(
    "Issued",
    certificateChain="chain",
    beginRefreshAt="1970-01-01T01:00:00Z",
    notAfter="1970-01-01T02:00:00Z",
)


def test_it_is_asked_for_at_once():
    assert next_request_at(State()) == 0.0
    assert "has not been issued yet" in outcome(State())


def test_what_is_issued_is_held_until_its_signer_wants_it_renewed():
    state = settled(State(pending=PENDING), ISSUED, 101.0)
    assert outcome(state) == Credential(b"key", b"chain")
    assert next_request_at(state) == next_look_at(state) == 3600.0


def test_while_one_is_pending_no_other_is_asked_for():
    state = settled(State(pending=PENDING, held=HELD), request(), 101.0)
    assert next_request_at(state) is None
    assert next_look_at(state) is None
    assert outcome(state) == HELD.credential


def test_what_is_refused_at_first_is_refused_for_good():
    for answer in ("Denied", "Failed"):
        state = settled(State(pending=PENDING), request(answer), 101.0)
        assert next_look_at(state) is None
        told = f'PodCertificateRequest was permanently {answer.lower()}: reason="R", message="M"'
        assert outcome(state) == told


def test_a_renewal_that_is_refused_is_tried_again_while_the_certificate_lasts():
    state = settled(State(pending=PENDING, held=HELD), request("Denied"), 200.0)
    assert outcome(state) == HELD.credential
    assert next_request_at(state) == 200.0 + RENEWAL_PAUSE_SECONDS
    ended = settled(State(pending=PENDING, held=HELD), request("Denied"), 1001.0)
    assert next_request_at(ended) is None


def test_a_request_that_is_taken_away_is_made_again():
    seen = settled(State(pending=PENDING), request(), 101.0)
    assert next_request_at(settled(seen, None, 102.0)) == 0.0


def test_a_request_that_is_never_seen_is_made_again_after_a_while():
    state = State(pending=PENDING)
    assert settled(state, None, 101.0) == state
    assert next_look_at(state) == 100.0 + UNSEEN_SECONDS
    assert settled(state, None, 100.0 + UNSEEN_SECONDS).pending is None
