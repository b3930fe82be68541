"""Asks for the certificates of one pod, and takes what its signers answer.

Whether to ask, and what an answer means, is decided in `pod_certificates`; where the files are
written is not its business. Nothing waits here: an answer wakes the pod, which looks again.
"""

import asyncio
import base64
from collections.abc import Mapping

import msgspec

from sampan.foundation.pki import stub_requests
from sampan.kubernetes.kinds.resource import (
    NODES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    SERVICE_ACCOUNTS,
    Resource,
)
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.node.node_services import NodeServices
from sampan.node.pod_view import CertificateProjection, Pod, View
from sampan.node.volumes.pod_certificates import (
    CertificateKey,
    Credential,
    Pending,
    State,
    next_look_at,
    next_request_at,
    outcome,
    settled,
    wanted,
)


class _Head(View, frozen=True):
    metadata: Metadata


class CertificateRequests:
    """The certificates of one pod."""

    def __init__(self, services: NodeServices) -> None:
        self._services = services
        self._states: dict[CertificateKey, State] = {}

    @property
    def refresh_at(self) -> float | None:
        """When `refresh` is due next if nothing else happens; None for never."""
        times = [next_look_at(state) for state in self._states.values()]
        return min((time for time in times if time is not None), default=None)

    async def refresh(self, pod: Pod) -> Mapping[CertificateKey, Credential | str]:
        """Each certificate that the pod needs, or why it isn't there.

        Raises ApiError, ConnectionError.
        """
        await asyncio.gather(*(self._advance(pod, *each) for each in wanted(pod).items()))
        return {key: outcome(state) for key, state in self._states.items()}

    async def _advance(self, pod: Pod, key: CertificateKey, source: CertificateProjection) -> None:
        state, now = self._states.get(key, State()), self._services.clock()
        if state.pending is not None:
            objects = self._services.objects
            request = objects.certificate_request(pod.metadata.namespace, state.pending.name)
            state = settled(state, request, now)
        self._states[key] = state
        due = next_request_at(state)
        if due is not None and due <= now:
            pending = await self._ask(pod, source, now)
            self._states[key] = msgspec.structs.replace(state, pending=pending)

    async def _ask(self, pod: Pod, source: CertificateProjection, now: float) -> Pending:
        made: list[stub_requests.KeyAndRequest] = []
        await self._services.aside(lambda: made.append(stub_requests.make(source.key_type)))
        (pair,) = made
        body = await self._body(pod, source, pair.request)
        raw = await self._services.client.create(
            POD_CERTIFICATE_REQUESTS, body, pod.metadata.namespace
        )
        return Pending(msgspec.json.decode(raw, type=_Head).metadata.name, pair.key, now)

    async def _body(
        self, pod: Pod, source: CertificateProjection, request: bytes
    ) -> dict[str, object]:
        node, account = self._services.settings.node_name, pod.spec.service_account_name
        node_uid, account_uid = await asyncio.gather(
            self._uid(NODES, node, ""),
            self._uid(SERVICE_ACCOUNTS, account, pod.metadata.namespace),
        )
        spec: dict[str, object] = {
            "signerName": source.signer_name,
            "podName": pod.metadata.name,
            "podUID": pod.metadata.uid,
            "serviceAccountName": account,
            "serviceAccountUID": account_uid,
            "nodeName": node,
            "nodeUID": node_uid,
            "stubPKCS10Request": base64.b64encode(request).decode(),
            "unverifiedUserAnnotations": source.user_annotations,
        }
        if source.max_expiration_seconds is not None:
            spec["maxExpirationSeconds"] = source.max_expiration_seconds
        owner = {"apiVersion": "v1", "kind": PODS.kind, "name": pod.metadata.name}
        return {
            "apiVersion": POD_CERTIFICATE_REQUESTS.group_version,
            "kind": POD_CERTIFICATE_REQUESTS.kind,
            "metadata": {
                "generateName": f"{pod.metadata.name}-",
                "namespace": pod.metadata.namespace,
                "ownerReferences": [{**owner, "uid": pod.metadata.uid}],
            },
            "spec": spec,
        }

    async def _uid(self, resource: Resource, name: str, namespace: str) -> str:
        raw = await self._services.client.get(resource, name, namespace)
        return msgspec.json.decode(raw, type=_Head).metadata.uid
