"""Certificates of pods: which a pod needs, and how each one's story goes on (KEP-4317). Pure.

A certificate is asked for with a key of its own, renewed with another key from the moment that
its signer named, and kept until its renewal is there. What was denied or has failed at first is
so for good; a renewal is tried again while the certificate lasts.
"""

from collections.abc import Mapping

import msgspec

from sampan.kubernetes.machinery.timestamps import parse
from sampan.node.cluster_view import CertificateRequest
from sampan.node.pod_view import CertificateProjection, Condition, Pod

RENEWAL_PAUSE_SECONDS = 300.0
UNSEEN_SECONDS = 60.0
_ANSWERS = ("Issued", "Denied", "Failed")


class CertificateKey(msgspec.Struct, frozen=True):
    """A source of a projected volume: the volume's name and the place in its list."""

    volume: str
    index: int


class Credential(msgspec.Struct, frozen=True):
    """A private key and the certificates that go with it, leaf first, both PEM."""

    key: bytes
    chain: bytes


class Pending(msgspec.Struct, frozen=True):
    """A request without an answer; `seen` when the API has shown it."""

    name: str
    key: bytes
    asked_at: float
    seen: bool = False


class Held(msgspec.Struct, frozen=True):
    credential: Credential
    refresh_at: float
    ends_at: float


class State(msgspec.Struct, frozen=True):
    """`refusal` says why there will be none; `not_before` is when to ask next at the earliest."""

    pending: Pending | None = None
    held: Held | None = None
    refusal: str = ""
    not_before: float = 0.0


def wanted(pod: Pod) -> Mapping[CertificateKey, CertificateProjection]:
    """The certificates that a pod's volumes need."""
    return {
        CertificateKey(volume.name, index): source.pod_certificate
        for volume in pod.spec.volumes
        for index, source in enumerate(volume.projections)
        if source.pod_certificate
    }


def settled(state: State, request: CertificateRequest | None, now: float) -> State:
    """The state after a look at the pending request; None for one that the API doesn't show."""
    pending = state.pending
    if pending is None:
        return state
    if request is None:
        is_lost = pending.seen or now - pending.asked_at >= UNSEEN_SECONDS
        return msgspec.structs.replace(state, pending=None) if is_lost else state
    answer = _answer(request)
    if answer is None:
        return msgspec.structs.replace(state, pending=msgspec.structs.replace(pending, seen=True))
    if answer.type == "Issued":
        return State(held=_held(pending, request))
    if state.held is not None and state.held.ends_at > now:
        return State(held=state.held, not_before=now + RENEWAL_PAUSE_SECONDS)
    return State(held=state.held, refusal=_refusal(answer))


def _answer(request: CertificateRequest) -> Condition | None:
    conditions = request.status.conditions
    return next((it for it in conditions if it.type in _ANSWERS and it.status == "True"), None)


def _held(pending: Pending, request: CertificateRequest) -> Held:
    status = request.status
    return Held(
        Credential(pending.key, status.certificate_chain.encode()),
        refresh_at=parse(status.begin_refresh_at).timestamp(),
        ends_at=parse(status.not_after).timestamp(),
    )


def _refusal(answer: Condition) -> str:
    outcome = answer.type.lower()
    about = f'reason="{answer.reason}", message="{answer.message}"'
    return f"PodCertificateRequest was permanently {outcome}: {about}"


def next_request_at(state: State) -> float | None:
    """When a request should be made; None while one is pending, or never."""
    if state.pending is not None or state.refusal:
        return None
    return max(state.held.refresh_at if state.held else 0.0, state.not_before)


def next_look_at(state: State) -> float | None:
    """When to look again if nothing happens; None where only an answer can change anything."""
    if state.pending is not None and not state.pending.seen:
        return state.pending.asked_at + UNSEEN_SECONDS
    return next_request_at(state)


def outcome(state: State) -> Credential | str:
    """The credential, or why there is none (yet)."""
    if state.held is not None:
        return state.held.credential
    return state.refusal or "the certificate of the pod has not been issued yet"
