"""The stage that tells the audit log of each request, as its policy says.

It stands after authentication; what authentication refuses is told by a stage before it. A
request that goes on after its answer has begun is told of twice: then, and when it ends.
"""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from random import Random

import msgspec

from sampan.control.api.audit.event import Record, line
from sampan.control.api.audit.log_file import AuditLog
from sampan.control.api.audit.policy import Policy, Stage, Verdict
from sampan.control.api.call import ANONYMOUS, Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Response, WebSocket, WebSocketHandler
from sampan.kubernetes.machinery.generated_names import new_uid

HEADER = "Audit-Id"
_LONGEST_IDENTIFIER = 64
_UNAUTHORIZED = 401
_REMEMBERED = 1024

_Key = tuple[str, tuple[str, ...], tuple[str, ...]]


class _Ending:
    """A streamed body that says when it has ended, however it does."""

    def __init__(self, body: AsyncIterator[bytes], end: Callable[[], None]) -> None:
        self._body = body
        self._end: Callable[[], None] | None = end

    def __aiter__(self) -> "_Ending":
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._body)
        except BaseException:
            self._ended()
            raise

    async def aclose(self) -> None:
        """The receiver has gone."""
        self._ended()
        close = getattr(self._body, "aclose", None)
        if close is not None:
            await close()

    def _ended(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            end()


class Audit:
    """The stage. `random` makes the requests' identifiers."""

    def __init__(
        self,
        policy: Policy,
        log: AuditLog,
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._policy = policy
        self._log = log
        self._clock = clock
        self._random = random
        self._verdicts: dict[_Key, Verdict] = {}
        self._names_objects = policy.names_objects

    async def __call__(self, call: Call, following: Handler) -> Response:
        record = self._record(call)
        if record is None:
            return await following(call)
        self._tell(record, call, "RequestReceived")
        try:
            response = await following(call)
        except Refused as refusal:
            self._tell(record, call, "ResponseComplete", refusal)
            refusal.headers = {**refusal.headers, HEADER: record.identifier}
            raise
        except Exception:
            self._tell(record, call, "Panic")
            raise
        response.headers = {**response.headers, HEADER: record.identifier}
        if not isinstance(response.body, bytes) and isinstance(response.body, AsyncIterator):
            self._tell(record, call, "ResponseStarted", response)
            told = msgspec.structs.replace(response, body=b"")
            end = partial(self._tell, record, call, "ResponseComplete", told)
            response.body = _Ending(response.body, end)
        elif response.websocket is not None:
            self._tell(record, call, "ResponseStarted", response)
            response.websocket = self._upgraded(record, call, response, response.websocket)
        else:
            self._tell(record, call, "ResponseComplete", response)
        return response

    async def unauthenticated(self, call: Call, following: Handler) -> Response:
        """The stage before authentication: tells of whom it does not know."""
        try:
            return await following(call)
        except Refused as refusal:
            if call.identity is ANONYMOUS and refusal.status.get("code") == _UNAUTHORIZED:
                record = self._record(call)
                if record is not None:
                    self._tell(record, call, "ResponseStarted", refusal)
            raise

    def _record(self, call: Call) -> Record | None:
        """None for a request that the log doesn't tell of."""
        verdict = self._verdict(call)
        if verdict.level == "None":
            return None
        given = call.request.headers.get("audit-id", "")[:_LONGEST_IDENTIFIER]
        identifier = given if given.isprintable() and given else new_uid(self._random)
        return Record(identifier, self._clock(), call.identity, verdict)

    def _verdict(self, call: Call) -> Verdict:
        """What the policy says, remembered for requests that differ in what it doesn't look at."""
        identity, it = call.identity, call.attributes
        if not it.is_resource or self._names_objects:
            return self._policy.verdict(identity, it)
        place = (it.verb, it.group, it.resource, it.subresource, it.namespace)
        key = (identity.name, identity.groups, place)
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) == _REMEMBERED:
                self._verdicts.clear()
            verdict = self._verdicts[key] = self._policy.verdict(identity, it)
        return verdict

    def _tell(
        self,
        record: Record,
        call: Call,
        stage: Stage,
        outcome: Response | Refused | None = None,
    ) -> None:
        if record.verdict.tells(stage):
            self._log.write(line(record, call, stage, self._clock(), outcome))

    def _upgraded(
        self, record: Record, call: Call, response: Response, handler: WebSocketHandler
    ) -> WebSocketHandler:
        async def upgraded(socket: WebSocket) -> None:
            try:
                await handler(socket)
            finally:
                self._tell(record, call, "ResponseComplete", response)

        return upgraded
