"""Conversion of custom resources by a webhook: ConversionReview (apiextensions.k8s.io/v1).

Objects that are of the wanted version already aren't sent. Of what comes back, only the spec of
the change counts: names, uid and the like stay as they were, whatever the webhook says.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sampan.control.api.custom_resources.definition import Definition, Webhook
from sampan.control.api.custom_resources.kinds import ConversionTo
from sampan.control.api.outgoing.webhook_caller import CallFailed, WebhookCaller
from sampan.kubernetes.kinds.kind import Conversion, ConversionFailed, Object
from sampan.kubernetes.kinds.resource import Resource

CALL_SECONDS = 30.0
_MUTABLE = ("labels", "annotations")
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def webhook_conversion(
    definition: Definition, caller: WebhookCaller, new_uid: Callable[[], str]
) -> ConversionTo:
    """The conversions between versions of a definition whose strategy is Webhook."""
    webhook = definition.spec.conversion.webhook

    def between(resource: Resource, home: Resource) -> Conversion:
        assert webhook is not None
        return _WebhookConversion(webhook, caller, new_uid, resource, home)

    return between


class _WebhookConversion:
    """Between one version, `resource`, and the stored one, `home`."""

    def __init__(
        self,
        webhook: Webhook,
        caller: WebhookCaller,
        new_uid: Callable[[], str],
        resource: Resource,
        home: Resource,
    ) -> None:
        self._webhook = webhook
        self._caller = caller
        self._new_uid = new_uid
        self._resource = resource
        self._home = home

    async def from_stored(self, values: Sequence[bytes]) -> list[bytes]:
        return await self._converted(values, self._resource.group_version)

    async def to_stored(self, value: bytes) -> bytes:
        return (await self._converted([value], self._home.group_version))[0]

    async def _converted(self, values: Sequence[bytes], wanted: str) -> list[bytes]:
        head = b'{"apiVersion":"%b",' % wanted.encode()
        foreign = [_decode(value) for value in values if not value.startswith(head)]
        if not foreign:
            return list(values)
        made = iter(await self._ask(foreign, wanted))
        return [value if value.startswith(head) else next(made) for value in values]

    async def _ask(self, objects: list[Object], wanted: str) -> list[bytes]:
        uid = self._new_uid()
        review = {
            "apiVersion": f"apiextensions.k8s.io/{self._review_version()}",
            "kind": "ConversionReview",
            "request": {"uid": uid, "desiredAPIVersion": wanted, "objects": objects},
        }
        try:
            client = self._webhook.client_config
            answer = await self._caller.call(client, _encode(review), seconds=CALL_SECONDS)
            response: Any = _decode(answer).get("response")
        except (CallFailed, msgspec.DecodeError) as error:
            raise self._failed(str(error)) from error
        converted = self._objects(response, uid, len(objects))
        return [
            self._checked(before, after, wanted)
            for before, after in zip(objects, converted, strict=True)
        ]

    def _review_version(self) -> str:
        versions = self._webhook.conversion_review_versions
        return next((it for it in versions if it in ("v1", "v1beta1")), "v1")

    def _objects(self, response: Any, uid: str, count: int) -> list[Any]:
        """What the answer holds. Raises ConversionFailed."""
        if not isinstance(response, dict):
            raise self._failed("no response provided")
        if response.get("uid") != uid:
            raise self._failed(f"expected response.uid={uid!r}, got {response.get('uid')!r}")
        result = response.get("result")
        if not isinstance(result, dict) or result.get("status") != "Success":
            message = result.get("message") if isinstance(result, dict) else None
            raise self._failed(str(message or "no response.result.status provided"))
        objects = response.get("convertedObjects")
        if not isinstance(objects, list) or len(objects) != count:
            given = len(objects) if isinstance(objects, list) else 0
            raise self._failed(f"returned {given} objects, expected {count}")
        return objects

    def _checked(self, before: Object, after: Any, wanted: str) -> bytes:
        """A converted object with the metadata that may not change. Raises ConversionFailed."""
        if not isinstance(after, dict) or after.get("apiVersion") != wanted:
            raise self._failed(f"returned invalid converted object: expected version {wanted}")
        if after.get("kind") != before.get("kind"):
            raise self._failed("returned invalid converted object: kind must not change")
        metadata = after.get("metadata")
        if not isinstance(metadata, dict):
            raise self._failed("returned invalid converted object: missing metadata")
        kept = before["metadata"]
        for key in ("name", "namespace", "uid"):
            if metadata.get(key) != kept.get(key):
                raise self._failed(
                    f"returned invalid metadata: must have the same {key}: "
                    f"{metadata.get(key, '')} != {kept.get(key, '')}"
                )
        changed = {key: metadata[key] for key in _MUTABLE if metadata.get(key) is not None}
        restored = {key: value for key, value in kept.items() if key not in _MUTABLE} | changed
        head = {"apiVersion": wanted, "kind": after["kind"], "metadata": restored}
        return _encode({**head, **after, **head})

    def _failed(self, text: str) -> ConversionFailed:
        gvk = f"{self._home.group_version}, Kind={self._home.kind}"
        return ConversionFailed(f"conversion webhook for {gvk} failed: {text}")
