"""Validating webhooks: asked all at once about the finished object; the first no counts."""

import asyncio

from sampan.control.api.admission.webhooks.asking import Asking
from sampan.control.api.admission.webhooks.configuration import Webhook
from sampan.control.api.admission.webhooks.index import WebhookIndex
from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds.kind import Kind


class ValidatingWebhooks:
    """The hooks of ValidatingWebhookConfigurations."""

    def __init__(self, index: WebhookIndex, asking: Asking) -> None:
        self._index = index
        self._asking = asking

    def concerns(self, write: Write) -> bool:
        return bool(self._index.matching(write))

    async def judge(self, write: Write) -> None:
        """Raises Refused: the refusal of the webhook that comes first in their order."""
        matching = self._index.matching(write)
        answers = await asyncio.gather(
            *(self._ask(webhook, target, write) for webhook, target in matching),
            return_exceptions=True,
        )
        for answer in answers:
            if answer is not None:
                raise answer

    async def _ask(self, webhook: Webhook, target: Kind, write: Write) -> None:
        asking = self._asking
        objects = await asking.objects(write, target)
        if await asking.concerns(webhook, target, write, objects):
            await asking.ask(webhook, target, write, objects, mutating=False)
