"""Charges a write to the quotas of its namespace before it is stored, or refuses it.

Theory: a quota's `status.used` is the account. A charge raises it by compare-and-set, so that
two writes never share what is left; what a write that then fails had charged, and what deleted
objects used, is given back when the account is counted anew (see `counting`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import partial

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.quota.usage import is_in_scope, unspecified, usage_of
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import PODS, RESOURCE_QUOTAS
from sampan.kubernetes.machinery.pod_resources import Amounts, amounts, shown

Change = Callable[[StoredObject], Object]
Account = Callable[[str, Change], Awaitable[object]]
"""Puts what a function makes of a quota (by its cache key) in its place, by compare-and-set."""

_Key = tuple[str, str, str]

PENDING_SECONDS = 5.0
_NOTHING = Decimal(0)
_LEFT_ALONE = frozenset(("status", "scale", "finalize", "approval", "binding", "eviction"))


class QuotaCharges:
    """The last of admission: what is stored next has been paid for."""

    def __init__(self, cache: WatchCache, account: Account, clock: Callable[[], datetime]) -> None:
        self._cache = cache
        self._account = account
        self._clock = clock
        self._pending: dict[_Key, tuple[Kind, Object, float]] = {}
        cache.on_event(self._seen)

    def concerns(self, write: Write) -> bool:
        """Quick, for it is asked of every write."""
        return (
            write.new is not None
            and bool(write.namespace)
            and not write.connects
            and write.subresource not in _LEFT_ALONE
            and write.kind.resource.namespaced
            and self._cache.of(RESOURCE_QUOTAS).count(write.namespace) > 0
        )

    async def judge(self, write: Write) -> None:
        """Raises Refused (403) when any quota would be exceeded; then none is charged."""
        now = self._clock()
        charges = [
            (stored, charge)
            for stored in self._quotas(write.namespace)
            if (charge := _charge(stored.decoded(), write, now))
        ]
        for stored, charge in charges:
            _raised(write, charge, stored)
        if write.dry_run or not charges:
            return
        key = self._remember(write)
        try:
            for stored, charge in charges:
                await self._account(stored.key, partial(_raised, write, charge))
        except Refused:
            self._pending.pop(key, None)
            raise

    def pending(self, namespace: str) -> list[tuple[Kind, Object]]:
        """Objects that were charged for moments ago and that the cache hasn't had yet."""
        oldest = asyncio.get_running_loop().time() - PENDING_SECONDS
        for key in [key for key, (_, _, moment) in self._pending.items() if moment < oldest]:
            del self._pending[key]
        found = self._pending.items()
        return [(kind, tree) for key, (kind, tree, _) in found if key[1] == namespace]

    def _remember(self, write: Write) -> _Key:
        key = _key(write.kind, write.namespace, write.object["metadata"]["name"])
        if (
            write.is_create
            and self._cache.of(write.kind.resource).get(f"{key[1]}/{key[2]}") is None
        ):
            now = asyncio.get_running_loop().time()
            self._pending[key] = (write.kind, write.object, now)
        return key

    def _seen(self, kind: Kind, event: CacheEvent) -> None:
        if self._pending and event.new is not None:
            namespace, _, name = event.new.key.partition("/")
            self._pending.pop(_key(kind, namespace, name), None)

    def _quotas(self, namespace: str) -> list[StoredObject]:
        found = self._cache.of(RESOURCE_QUOTAS).select(Selection(namespace=namespace))
        return sorted(found, key=lambda stored: stored.name)


def _key(kind: Kind, namespace: str, name: str) -> _Key:
    return f"{kind.resource.group}/{kind.resource.plural}", namespace, name


def _charge(quota: Object, write: Write, now: datetime) -> Amounts:
    """What a quota has to bear for a write. Raises Refused (403) for what says too little."""
    spec = quota.get("spec") or {}
    hard = (spec.get("hard") or {}).keys()
    assert write.new is not None
    used: Amounts = {}
    if is_in_scope(spec, write.kind, write.new):
        if write.is_create or write.kind.resource != PODS:
            _check_said(quota, write, hard)
        used = usage_of(write.kind, write.new, now)
    if write.old is not None and is_in_scope(spec, write.kind, write.old):
        before = usage_of(write.kind, write.old, now)
        used = {name: value - before.get(name, _NOTHING) for name, value in used.items()}
    return {name: value for name, value in used.items() if name in hard and value > 0}


def _check_said(quota: Object, write: Write, hard: Iterable[str]) -> None:
    missing = unspecified(write.kind, write.object, hard)
    if missing:
        name = quota["metadata"]["name"]
        raise write.refusal(f"failed quota: {name}: must specify {missing}")


def _raised(write: Write, charge: Amounts, stored: StoredObject) -> Object:
    """The quota after the charge. Raises Refused (403) when there is not so much left."""
    quota = stored.decoded()
    name, account = quota["metadata"]["name"], quota.get("status") or {}
    hard, used = amounts(account.get("hard")), amounts(account.get("used"))
    unknown = sorted(key for key in charge if key not in hard or key not in used)
    if unknown:
        explanation = f"status unknown for quota: {name}, resources: {','.join(unknown)}"
        raise write.refusal(explanation)
    over = sorted(key for key, value in charge.items() if used[key] + value > hard[key])
    if over:
        raise write.refusal(
            f"exceeded quota: {name}, requested: {_told(charge, over)}, "
            f"used: {_told(used, over)}, limited: {_told(hard, over)}",
        )
    raised = {key: shown(key, used[key] + value) for key, value in charge.items()}
    return {**quota, "status": {**account, "used": {**account["used"], **raised}}}


def _told(values: Amounts, names: list[str]) -> str:
    return ",".join(f"{name}={shown(name, values[name])}" for name in names)
