"""Mutating webhooks: asked one after another, each about what the one before has made."""

import msgspec

from sampan.control.api.admission.replacing import Unfit, replace_object
from sampan.control.api.admission.webhooks.asking import Asking, internal_error
from sampan.control.api.admission.webhooks.configuration import Webhook
from sampan.control.api.admission.webhooks.index import WebhookIndex
from sampan.control.api.admission.write import Reinvocation, Write
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import patches

_encode = msgspec.json.Encoder().encode


class MutatingWebhooks:
    """The hooks of MutatingWebhookConfigurations."""

    def __init__(self, index: WebhookIndex, asking: Asking) -> None:
        self._index = index
        self._asking = asking

    def concerns(self, write: Write) -> bool:
        return bool(self._index.matching(write))

    async def mutate(self, write: Write, reinvocation: Reinvocation) -> None:
        """Raises Refused."""
        for webhook, target in self._index.matching(write):
            if reinvocation.is_due(webhook.key):
                await self._ask(webhook, target, write, reinvocation)

    async def _ask(
        self, webhook: Webhook, target: Kind, write: Write, reinvocation: Reinvocation
    ) -> None:
        asking = self._asking
        objects = await asking.objects(write, target)
        if not await asking.concerns(webhook, target, write, objects):
            return
        found = await asking.ask(webhook, target, write, objects, mutating=True)
        operations = found.patch if found is not None else []
        if operations and await self._patch(webhook, target, write, objects[0], operations):
            reinvocation.object_changed()
        if webhook.reinvoked:
            reinvocation.has_seen(webhook.key)

    async def _patch(
        self,
        webhook: Webhook,
        target: Kind,
        write: Write,
        given: Object | None,
        operations: list[Object],
    ) -> bool:
        """Put the patched object in place of the other; False when it is the same.

        Raises Refused (500) for a patch that doesn't fit.
        """
        if given is None or write.new is None:
            text = "attempted to modify the object, which is not supported for this operation"
            raise Refused(internal_error(f'admission webhook "{webhook.name}" {text}'))
        before = _encode(given)
        try:
            patched = patches.json_patch(msgspec.json.decode(before), operations)
        except (patches.InvalidPatch, patches.PatchTooLarge, patches.PatchRefused) as error:
            raise Refused(internal_error(str(error))) from error
        if _encode(patched) == before:
            return False
        try:
            await replace_object(write, target, patched)
        except Unfit as error:
            raise Refused(internal_error(str(error))) from error
        return True
