"""`pods/NAME/eviction`: a deletion that may be refused for the sake of others (policy/v1).

A pod that a PodDisruptionBudget covers goes only when the budget allows for it; what was allowed
is taken from the budget's account at once, in one compare-and-set, so that two evictions never
share the last disruption. The rules are those of k8s.io/kubernetes `registry/core/pod/rest`.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms.rendering import status_answer
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import dry_run, dry_run_of
from sampan.control.api.subresources.form_review import reviewed
from sampan.control.api.writing.decoding import Form, decoded
from sampan.control.api.writing.deleting import DeleteOptions, Deleting
from sampan.control.api.writing.writer import Writer
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.policy import POD_DISRUPTION_BUDGET
from sampan.kubernetes.kinds.resource import POD_DISRUPTION_BUDGETS
from sampan.kubernetes.machinery import conditions, status
from sampan.kubernetes.machinery.selectors import from_object
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.kubernetes.schema.definitions import definition_name

MOST_MARKED_PODS = 2000
_FORM = Form(definition_name("policy", "v1", "Eviction"), "Eviction", "policy/v1")
_WOULD_VIOLATE = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)
_UNPROTECTED = ("Pending", "Succeeded", "Failed")
_RETRY_SECONDS = 10


class Eviction:
    def __init__(
        self,
        deleting: Deleting,
        writer: Writer,
        cache: WatchCache,
        clock: Callable[[], datetime],
    ) -> None:
        self._deleting = deleting
        self._writer = writer
        self._cache = cache
        self._clock = clock

    async def create(self, call: Call) -> Response:
        """Raises Refused: 404, 429 when a budget doesn't allow it, 500 when several cover it."""
        body = await decoded(call, _FORM)
        name = body.tree["metadata"].get("name", "")
        if name and name != call.attributes.name:
            message = "name in URL does not match name in Eviction object"
            raise Refused(status.bad_request(message))
        options = _options(call, body.tree.get("deleteOptions") or {})
        key = object_key(call)
        stored = self._cache.of(call.routed.resource).get(key)
        if stored is None:
            raise Refused(status.not_found(call.routed.resource, call.attributes.name))
        keeps = dry_run(options.dry_run or ())
        await reviewed(self._writer, call, body.tree, _FORM, dry_run=keeps)
        pod = stored.decoded()
        if not _is_unprotected(pod):
            await self._ask_budget(pod, keeps=keeps)
            if not keeps:
                await self._say_why(call, key)
        await self._deleting.delete(call, call.routed, key, options)
        return status_answer(_success(), call.request)

    async def _ask_budget(self, pod: Object, *, keeps: bool) -> None:
        """Take one disruption from the pod's budget, if it has one. Raises Refused."""
        budgets = self._budgets_of(pod)
        if len(budgets) > 1:
            raise Refused(status.failure(500, "InternalError", _SEVERAL))
        for stored in budgets:
            if not _goes_anyway(pod, stored.decoded()):
                charge = partial(_charged, pod["metadata"]["name"], to_seconds(self._clock()))
                await self._writer.transform(
                    POD_DISRUPTION_BUDGET, stored.key, charge, dry_run=keeps
                )

    def _budgets_of(self, pod: Object) -> list[StoredObject]:
        labels = pod["metadata"].get("labels") or {}
        selection = Selection(namespace=pod["metadata"]["namespace"])
        found = self._cache.of(POD_DISRUPTION_BUDGETS).select(selection)
        return [stored for stored in found if _covers(stored.decoded(), labels)]

    async def _say_why(self, call: Call, key: str) -> None:
        """The pod's condition tells its controllers that this was no failure of its own."""
        now = to_seconds(self._clock())

        def change(current: StoredObject) -> Object:
            pod = current.decoded()
            told = pod.setdefault("status", {})
            told["conditions"] = conditions.with_condition(
                told.get("conditions"),
                "DisruptionTarget",
                "True",
                now,
                reason="EvictionByEvictionAPI",
                message="Eviction API: evicting",
            )
            return pod

        await self._writer.transform(call.routed, key, change)


def _options(call: Call, given: Any) -> DeleteOptions:
    try:
        options = msgspec.convert(given, DeleteOptions)
    except msgspec.ValidationError as error:
        raise Refused(status.bad_request(f"deleteOptions: {error}")) from error
    if dry_run_of(call.request):
        options = msgspec.structs.replace(options, dry_run=("All",))
    return options


def _is_unprotected(pod: Object) -> bool:
    """Budgets are about pods that run and stay."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in _UNPROTECTED or "deletionTimestamp" in pod["metadata"]


def _covers(budget: Object, labels: dict[str, str]) -> bool:
    selector = from_object((budget.get("spec") or {}).get("selector"))
    return selector is not None and selector.matches(labels)


def _goes_anyway(pod: Object, budget: Object) -> bool:
    """Whether a pod that isn't ready may go without the budget's leave (KEP-3017)."""
    ready = conditions.find((pod.get("status") or {}).get("conditions"), "Ready")
    if ready is not None and ready.get("status") == "True":
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    account = budget.get("status") or {}
    desired = account.get("desiredHealthy", 0)
    return bool(account.get("currentHealthy", 0) >= desired > 0)


def _charged(pod_name: str, now: str, stored: StoredObject) -> Object:
    """The budget after one more disruption. Raises Refused (403, 429)."""
    budget = stored.decoded()
    name, account = budget["metadata"]["name"], budget.get("status") or {}
    if account.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        detail = f"The disruption budget {name} is still being processed by the server."
        raise _refusal(detail, _RETRY_SECONDS)
    allowed, marked = account.get("disruptionsAllowed", 0), account.get("disruptedPods") or {}
    if len(marked) > MOST_MARKED_PODS:
        explanation = (
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        )
        raise Refused(status.forbidden(POD_DISRUPTION_BUDGETS, name, explanation))
    if allowed <= 0:
        raise _refusal(
            f"The disruption budget {name} needs {account.get('desiredHealthy', 0)} healthy pods "
            f"and has {account.get('currentHealthy', 0)} currently",
            0,
        )
    changed = {
        **account,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**marked, pod_name: now},
    }
    if allowed == 1:
        changed["conditions"] = conditions.with_condition(
            account.get("conditions"), "DisruptionAllowed", "False", now, reason="InsufficientPods"
        )
    return {**budget, "status": changed}


def _refusal(detail: str, retry_seconds: int) -> Refused:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": detail}]}
    headers = {}
    if retry_seconds:
        details["retryAfterSeconds"] = retry_seconds
        headers["Retry-After"] = str(retry_seconds)
    return Refused(status.failure(429, "TooManyRequests", _WOULD_VIOLATE, details), headers)


def _success() -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }
