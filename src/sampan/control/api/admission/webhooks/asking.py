"""One webhook and one write: whether it is asked, and what becomes of its answer."""

import logging
from collections.abc import Callable

from sampan.control.api.admission.matching.conditions import ConditionsFailed
from sampan.control.api.admission.matching.variables import bindings_of
from sampan.control.api.admission.matching.versions import in_version
from sampan.control.api.admission.webhooks.configuration import Webhook
from sampan.control.api.admission.webhooks.reviews import (
    InvalidAnswer,
    Verdict,
    question,
    verdict,
)
from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.outgoing.webhook_caller import CallFailed, WebhookCaller
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import status

_log = logging.getLogger("sampan.api.admission")

Objects = tuple[Object | None, Object | None]


class Asking:
    """Asks webhooks of either sort. `new_uid` names each question."""

    def __init__(
        self,
        cache: WatchCache,
        authorizer: Authorizer,
        caller: WebhookCaller,
        new_uid: Callable[[], str],
    ) -> None:
        self._cache = cache
        self._authorizer = authorizer
        self._caller = caller
        self._new_uid = new_uid

    async def objects(self, write: Write, target: Kind) -> Objects:
        """The new and the old object in the version that a webhook knows. Raises Refused."""
        if write.form is not None:
            return write.new, write.old
        new = await in_version(write.new, write.kind, target)
        return new, await in_version(write.old, write.kind, target)

    async def concerns(
        self, webhook: Webhook, target: Kind, write: Write, objects: Objects
    ) -> bool:
        """Whether selectors and conditions let the write through to the webhook.

        Raises Refused (403) when conditions fail and the webhook's failure policy is Fail.
        """
        if not webhook.selectors.match(write, self._cache):
            return False
        if not webhook.conditions:
            return True
        bindings = bindings_of(write, target, objects, self._authorizer)
        try:
            return await webhook.conditions.hold(bindings)
        except ConditionsFailed as error:
            if webhook.ignores:
                return False
            raise write.refusal(str(error)) from error

    async def ask(
        self, webhook: Webhook, target: Kind, write: Write, objects: Objects, *, mutating: bool
    ) -> Verdict | None:
        """The verdict; None of a webhook that can't be asked and whose failures are ignored.

        Raises Refused: with the webhook's own refusal, or 500 when it can't be asked.
        """
        if write.dry_run and webhook.has_side_effects:
            message = f'admission webhook "{webhook.name}" does not support dry run'
            raise Refused(status.bad_request(message))
        uid = self._new_uid()
        body = question(write, target, objects, uid)
        limit = (("timeout", f"{webhook.seconds}s"),)
        try:
            answer = await self._caller.call(
                webhook.client, body, seconds=webhook.seconds, query=limit
            )
            found = verdict(webhook.name, answer, uid, mutating=mutating)
        except CallFailed as error:
            _unasked(webhook, f"failed to call webhook: {error}")
            return None
        except InvalidAnswer as error:
            _unasked(webhook, f"received invalid webhook response: {error}")
            return None
        write.warnings.extend(it for it in found.warnings if it not in write.warnings)
        write.annotations.update(found.annotations)
        if found.refusal is not None:
            raise Refused(found.refusal)
        return found


def _unasked(webhook: Webhook, problem: str) -> None:
    """Raises Refused (500) unless the webhook's failures are ignored."""
    message = f'failed calling webhook "{webhook.name}": {problem}'
    if not webhook.ignores:
        raise Refused(internal_error(message))
    _log.warning("%s; the write goes on without it", message)


def internal_error(message: str) -> Object:
    """A Status of 500 that says what a webhook or policy did wrong."""
    return status.failure(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
    )
