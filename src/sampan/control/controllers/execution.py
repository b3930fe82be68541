"""Carries out one plan through the client: the only place where controllers' writes are made.

Actions of one sort that follow one another are made together: creations in batches that start
small and double, so that a refusal (a quota, a bad template) costs one request and not
hundreds; others a bounded number at a time. The first refusal ends the plan.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from random import Random

import msgspec

from sampan.control.controllers import plan as plans
from sampan.kubernetes.client.contract import AlreadyExists, Client, Conflict, NotFound, Object
from sampan.kubernetes.kinds.resource import SUBJECT_ACCESS_REVIEWS, Resource
from sampan.kubernetes.machinery.generated_names import generated_name

REQUEST_SECONDS = 15.0
CONCURRENT_WRITES = 16
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0


class _Decision(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Decision


class Write(msgspec.Struct, frozen=True):
    """What became of one action: the object as the API answered it, None for one that is gone."""

    action: plans.Action
    head: plans.Head | None


class Refused(Exception):
    """An action failed; `cause` says how, `writes` are those that were made before."""

    def __init__(self, action: plans.Action, cause: Exception, writes: Sequence[Write]) -> None:
        super().__init__(str(cause))
        self.action = action
        self.cause = cause
        self.writes = writes


class Executor:
    """Makes the writes and asks the questions of one controller."""

    def __init__(
        self, client: Client, random: Random, report: Callable[[plans.Report, str, str], None]
    ) -> None:
        self._client = client
        self._random = random
        self._report = report
        self._decode = msgspec.json.Decoder(plans.Head).decode

    async def carry_out(self, actions: Sequence[plans.Action]) -> list[Write]:
        """Make the writes in order. Raises Refused at the first that fails."""
        writes: list[Write] = []
        for batch in _batches(actions):
            results = await asyncio.gather(*map(self._try, batch))
            writes += [result for result in results if isinstance(result, Write)]
            for action, result in zip(batch, results, strict=True):
                if not isinstance(result, Write):
                    raise Refused(action, result, writes)
        return writes

    async def answer(self, reads: Sequence[plans.Read]) -> plans.Answers:
        """Ask the API. Raises ApiError, ConnectionError, TimeoutError."""
        answers: dict[plans.Read, tuple[plans.Head, ...]] = {}
        for read in reads:
            async with asyncio.timeout(REQUEST_SECONDS):
                answers[read] = await self._ask(read)
        return answers

    async def permissions(self, questions: Sequence[plans.Question]) -> plans.Permissions:
        """Ask the API who may do what. Raises ApiError, ConnectionError, TimeoutError."""
        found: dict[plans.Question, bool] = {}
        for question in questions:
            review = {"spec": _review_spec(question)}
            raw = await _timely(self._client.create(SUBJECT_ACCESS_REVIEWS, review))
            found[question] = msgspec.json.decode(raw, type=_Review).status.allowed
        return found

    async def _ask(self, read: plans.Read) -> tuple[plans.Head, ...]:
        if isinstance(read, plans.List):
            found = await self._client.list(read.resource, read.namespace)
            return tuple(self._decode(item) for item in found.items)
        try:
            return (self._decode(await self._client.get(read.resource, read.name, read.namespace)),)
        except NotFound:
            return ()

    async def _try(self, action: plans.Action) -> Write | Exception:
        try:
            head = await self._make(action)
        except Exception as error:  # noqa: BLE001 - the runner judges every failure
            if action.failure is not None:
                self._report(action.failure, _name_of(action, None), str(error))
            return error
        if action.success is not None:
            self._report(action.success, _name_of(action, head), "")
        return Write(action, head)

    async def _make(self, action: plans.Action) -> plans.Head | None:
        if isinstance(action, plans.Create):
            return await self._create(action)
        if isinstance(action, plans.Patch):
            return await self._patched(action)
        if isinstance(action, plans.Update):
            update = self._client.update(
                action.resource, action.body, action.namespace, subresource=action.subresource
            )
            return self._decode(await _timely(update))
        try:
            await _timely(self._delete(action))
        except NotFound:
            return None
        return None

    async def _create(self, action: plans.Create) -> plans.Head | None:
        """A create is repeated under the same name until it is answered: giving up without
        knowing what became of it would have the next plan make a second object."""
        body = self._named(action.body)
        lost = 0
        while True:
            try:
                return await self._create_once(action, body, again=lost > 0)
            except AlreadyExists:
                if body is action.body:
                    raise
                body, lost = self._named(action.body), 0
            except (ConnectionError, TimeoutError):
                lost += 1
                await asyncio.sleep(min(FIRST_PAUSE_SECONDS * 2**lost, LONGEST_PAUSE_SECONDS))

    async def _create_once(
        self, action: plans.Create, body: Object, *, again: bool
    ) -> plans.Head | None:
        try:
            create = self._client.create(action.resource, body, action.namespace)
            return self._decode(await _timely(create))
        except AlreadyExists:
            if not again or body is action.body:
                raise
            return await self._found(action, body)

    def _named(self, body: Object) -> Object:
        """The body itself when it has a name, otherwise one with a name out of its prefix."""
        metadata = body["metadata"]
        if "name" in metadata:
            return body
        name = generated_name(metadata["generateName"], self._random)
        return {**body, "metadata": {**metadata, "name": name}}

    async def _found(self, action: plans.Create, body: Object) -> plans.Head | None:
        """The object that was created although the answer was lost; None when it is gone again.
        Raises AlreadyExists when one of that name has other owners: it is another's."""
        name = body["metadata"]["name"]
        get = plans.Get(action.resource, name, action.namespace)
        async with asyncio.timeout(REQUEST_SECONDS):
            found = await self._ask(get)
        owners = {owner["uid"] for owner in body["metadata"].get("ownerReferences", ())}
        for head in found:
            if {owner.uid for owner in head.metadata.owner_references} != owners:
                raise AlreadyExists({"message": f"{name} is another's"})
            return head
        return None

    async def _patched(self, action: plans.Patch) -> plans.Head | None:
        try:
            return self._decode(await self._patch(action))
        except (NotFound, Conflict):
            if not action.may_be_gone:
                raise
            return None

    async def _patch(self, action: plans.Patch) -> bytes:
        preconditions = {"uid": action.uid}
        if action.resource_version:
            preconditions["resourceVersion"] = action.resource_version
        metadata = {**action.body.get("metadata", {}), **preconditions}
        patch = self._client.patch(
            action.resource,
            action.name,
            {**action.body, "metadata": metadata},
            action.namespace,
            kind=action.kind,
            subresource=action.subresource,
        )
        return await _timely(patch)

    async def _delete(self, action: plans.Delete) -> bytes:
        return await self._client.delete(
            action.resource,
            action.name,
            action.namespace,
            uid=action.uid,
            resource_version=action.resource_version,
            grace_seconds=action.grace_seconds,
            propagation=action.propagation,
        )


async def _timely(answer: Awaitable[bytes]) -> bytes:
    async with asyncio.timeout(REQUEST_SECONDS):
        return await answer


def _review_spec(question: plans.Question) -> Object:
    resource = question.resource
    return {
        "user": question.user,
        "uid": question.uid,
        "groups": list(question.groups),
        "extra": {key: list(values) for key, values in question.extra},
        "resourceAttributes": {
            "verb": question.verb,
            "group": resource.group,
            "version": resource.version,
            "resource": resource.plural,
            "subresource": question.subresource,
        },
    }


def _name_of(action: plans.Action, head: plans.Head | None) -> str:
    if head is not None:
        return head.metadata.name
    if isinstance(action, plans.Patch | plans.Delete):
        return action.name
    return str(action.body["metadata"].get("name", ""))


def _batches(actions: Sequence[plans.Action]) -> Iterator[list[plans.Action]]:
    """Part actions of one sort that follow one another into batches."""
    for _, group in groupby(actions, key=_sort):
        rest = list(group)
        size = 1 if isinstance(rest[0], plans.Create) else CONCURRENT_WRITES
        while rest:
            yield rest[:size]
            rest = rest[size:]
            size = min(size * 2, CONCURRENT_WRITES)


def _sort(action: plans.Action) -> tuple[type, Resource, str]:
    subresource = action.subresource if isinstance(action, plans.Patch | plans.Update) else ""
    return (type(action), action.resource, subresource)
