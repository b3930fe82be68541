"""DELETE of one object or of many: at once, after a grace, or when all finalizers are gone.

The rules are those of k8s.io/apiserver `registry/generic/registry/store.go` and of the pod's
own strategy. A pod that is bound is removed by its node's agent, which deletes it again with
a grace of zero once its containers have ended.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms import rendering
from sampan.control.api.reading import list_rendering
from sampan.control.api.reading.pages import Pages
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import integer
from sampan.control.api.writing.decoding import media_type, options_value
from sampan.control.api.writing.writer import ATTEMPTS, Writer
from sampan.foundation.wire.message import Request, Response
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import (
    JOBS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_TEMPLATES,
    PODS,
    REPLICATION_CONTROLLERS,
    RESOURCE_QUOTAS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import invalid, unsupported
from sampan.kubernetes.machinery.timestamps import parse, to_seconds
from sampan.kubernetes.schema import structure

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_DEFAULT_GRACE = 30
_POLICIES = ("Background", "Foreground", "Orphan")
_ENDED = ("Succeeded", "Failed")
_AT_ONCE = 32

# Kinds whose objects are answered with themselves when they are gone, not with a Status.
_SHOWN = frozenset(
    {
        PERSISTENT_VOLUME_CLAIMS,
        PERSISTENT_VOLUMES,
        PODS,
        POD_TEMPLATES,
        RESOURCE_QUOTAS,
        SERVICES,
        SERVICE_ACCOUNTS,
    }
)
_DEFINITION = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
# Kinds whose dependents stay when nobody says otherwise, as they always did in these versions.
_ORPHANING = frozenset({JOBS, REPLICATION_CONTROLLERS})
_JOBS_LEAVE_PODS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


class Preconditions(msgspec.Struct, frozen=True, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


class DeleteOptions(msgspec.Struct, frozen=True, rename="camel"):
    """metav1.DeleteOptions, from the body and the query."""

    grace_period_seconds: int | None = None
    preconditions: Preconditions | None = None
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    dry_run: tuple[str, ...] | None = None

    @property
    def policy(self) -> str:
        """What becomes of dependents; empty when the client leaves it to the kind."""
        if self.propagation_policy is None and self.orphan_dependents is not None:
            return "Orphan" if self.orphan_dependents else "Background"
        return self.propagation_policy or ""


class Deleting:
    """The handlers of `delete` and `deletecollection`."""

    def __init__(self, writer: Writer, cache: WatchCache, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._cache = cache
        self._clock = clock
        self._pages = Pages(cache)

    async def one(self, call: Call) -> Response:
        options = await options_of(call.request)
        kind, key = call.routed, object_key(call)
        _warn(call, options)
        data, gone = await self.delete(call, kind, key, options)
        if gone and kind.resource not in _SHOWN:
            metadata = msgspec.json.decode(data)["metadata"]
            answer = status.success(kind.resource, metadata["name"], metadata["uid"])
            return rendering.status_answer(answer, call.request)
        # Who asked by the old field that dependents go learns that they are still going.
        code = 202 if not gone and options.orphan_dependents is False else 200
        return rendering.one(kind, data, call.request, self._clock, code=code)

    async def many(self, call: Call) -> Response:
        """Deletes what a list with these options holds; what is gone meanwhile is passed over."""
        options = await options_of(call.request)
        kind = call.routed
        _warn(call, options)
        page = await self._pages.chosen(call)
        for start in range(0, len(page.objects), _AT_ONCE):
            deletions = (
                self.delete(call, kind, stored.key, options)
                for stored in page.objects[start : start + _AT_ONCE]
            )
            for outcome in await asyncio.gather(*deletions, return_exceptions=True):
                if isinstance(outcome, Refused) and outcome.status.get("code") == 404:
                    continue
                if isinstance(outcome, BaseException):
                    raise outcome
        return await list_rendering.many(
            kind, page.objects, page.metadata, call.request, self._clock
        )

    async def delete(
        self, call: Call, kind: Kind, key: str, options: DeleteOptions
    ) -> tuple[bytes, bool]:
        """The object's JSON as it is now or was at last, and whether it is gone.

        Raises Refused: 404, 409 when a precondition fails, 403 when it may not be deleted.
        """
        keep = "All" in (options.dry_run or ())
        for _ in range(ATTEMPTS):
            stored = self._cache.of(kind.resource).get(key)
            if stored is None:
                raise Refused(status.not_found(kind.resource, key.partition("/")[2]))
            await self._check(call, kind, stored, options, dry_run=keep)
            tree = marked(kind, stored.decoded(), options, self._clock())
            if tree is None:
                if keep or await self._writer.remove(kind, stored):
                    return stored.data, True
                continue
            if tree == stored.decoded():
                return stored.data, False
            written = await self._writer.commit(kind, stored, tree, dry_run=keep)
            if written is not None:
                return written.data, False
        raise Refused(status.conflict(kind.resource, key.partition("/")[2]))

    async def _check(
        self,
        call: Call,
        kind: Kind,
        stored: StoredObject,
        options: DeleteOptions,
        *,
        dry_run: bool,
    ) -> None:
        tree = stored.decoded()
        wanted = options.preconditions or Preconditions()
        for field, given, now in (
            ("UID", wanted.uid, tree["metadata"]["uid"]),
            ("ResourceVersion", wanted.resource_version, str(stored.revision)),
        ):
            if given and given != now:
                raise Refused(
                    status.precondition_failed(kind.resource, stored.name, field, given, now)
                )
        namespace = tree["metadata"].get("namespace", "")
        await self._writer.review(
            Write(
                kind,
                call.identity,
                namespace,
                new=None,
                old=tree,
                warnings=call.warnings,
                dry_run=dry_run,
                request=call.request,
                annotations=call.annotations,
                # An eviction has been seen by hooks as what it is.
                reviewed=bool(call.attributes.subresource),
            )
        )


def marked(kind: Kind, tree: Object, options: DeleteOptions, now: datetime) -> Object | None:
    """The object marked for deletion; None when nothing keeps it from going at once."""
    metadata = tree["metadata"]
    if kind.begin_deletion is not None and "deletionTimestamp" not in metadata:
        kind.begin_deletion(tree, now)
    finalizers = _finalizers(kind, metadata, options)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    grace = _grace(tree, options) if kind.resource == PODS else 0
    waits = bool(finalizers) or (
        kind.resource == NAMESPACES and bool((tree.get("spec") or {}).get("finalizers"))
    )
    if not grace and not waits:
        return None
    before = metadata.get("deletionTimestamp")
    if before is None:
        metadata["deletionTimestamp"] = to_seconds(now + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
        if "generation" in metadata:
            metadata["generation"] += 1
    elif grace < metadata.get("deletionGracePeriodSeconds", 0):
        # A grace can only become shorter; it counts from the first deletion.
        saved = timedelta(seconds=metadata["deletionGracePeriodSeconds"] - grace)
        metadata["deletionTimestamp"] = to_seconds(parse(before) - saved)
        metadata["deletionGracePeriodSeconds"] = grace
    if kind.resource == NAMESPACES:
        tree["status"] = {**(tree.get("status") or {}), "phase": "Terminating"}
    return tree


def _finalizers(kind: Kind, metadata: Object, options: DeleteOptions) -> list[str]:
    """What the propagation policy adds or takes away; finalizers that are there stand for one."""
    present = list(metadata.get("finalizers") or ())
    policy = options.policy
    if not policy and kind.resource in _ORPHANING and not {ORPHAN, FOREGROUND} & set(present):
        policy = "Orphan"
    if not policy or kind.resource == NAMESPACES:
        return present
    kept = [it for it in present if it not in (ORPHAN, FOREGROUND)]
    added = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])
    return kept + added


def _grace(pod: Object, options: DeleteOptions) -> int:
    """Seconds that a pod gets: none when it never ran on a node, or has ended already."""
    spec, phase = pod.get("spec") or {}, (pod.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in _ENDED:
        return 0
    grace = options.grace_period_seconds
    if grace is None:
        before = pod["metadata"].get("deletionGracePeriodSeconds")
        grace = before if before is not None else spec.get("terminationGracePeriodSeconds")
    if grace is None:
        return _DEFAULT_GRACE
    return grace if grace >= 0 else 1


def _warn(call: Call, options: DeleteOptions) -> None:
    if call.routed.resource == JOBS and not options.policy:
        call.warnings.append(_JOBS_LEAVE_PODS)


async def options_of(request: Request) -> DeleteOptions:
    """From the body and the query, whose values count. Raises Refused (400, 422)."""
    content, content_type = await request.read_body(), media_type(request)
    given = await options_value(content, content_type, "DeleteOptions") if content else {}
    try:
        structure.check(_DEFINITION, given)
    except structure.WrongType as error:
        raise Refused(status.bad_request(str(error))) from error
    if (given.get("kind") or "DeleteOptions") != "DeleteOptions":
        raise Refused(status.bad_request("decoded object cannot be converted to DeleteOptions"))
    options = msgspec.convert(given, DeleteOptions)
    options = _with_query(options, request)
    _check_options(options)
    return options


def _with_query(options: DeleteOptions, request: Request) -> DeleteOptions:
    query = {key for key, _ in request.query}
    if "gracePeriodSeconds" in query:
        grace = integer(request, "gracePeriodSeconds")
        options = msgspec.structs.replace(options, grace_period_seconds=grace)
    if "propagationPolicy" in query:
        policy = request.parameter("propagationPolicy")
        options = msgspec.structs.replace(options, propagation_policy=policy)
    if "orphanDependents" in query:
        orphan = request.flag("orphanDependents")
        options = msgspec.structs.replace(options, orphan_dependents=orphan)
    if "dryRun" in query:
        values = tuple(value for key, value in request.query if key == "dryRun")
        options = msgspec.structs.replace(options, dry_run=values)
    return options


def _check_options(options: DeleteOptions) -> None:
    """ValidateDeleteOptions. Raises Refused (422)."""
    causes, policy = [], options.propagation_policy
    if policy is not None and options.orphan_dependents is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid("propagationPolicy", policy, detail))
    if policy not in (None, "", *_POLICIES):
        causes.append(unsupported("propagationPolicy", policy, _POLICIES))
    dry = [value for value in options.dry_run or () if value]
    if any(value != "All" for value in dry):
        causes.append(unsupported("dryRun", dry, ("All",)))
    if causes:
        raise Refused(status.invalid("meta.k8s.io", "DeleteOptions", "", causes))
