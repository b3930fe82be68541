"""What every sort of policy does for one write: bindings, parameters, conditions, variables."""

from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import msgspec

from sampan.control.api.admission.matching.conditions import Conditions, ConditionsFailed
from sampan.control.api.admission.matching.variables import bindings_of, namespace_object
from sampan.control.api.admission.matching.versions import in_version
from sampan.control.api.admission.policies.environment import Environment, LazyVariables
from sampan.control.api.admission.policies.index import Bound, Entry
from sampan.control.api.admission.policies.parameters import ParametersMissing, parameters_of
from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.expressions.budget import PER_MATCH_CONDITIONS, PER_OBJECT, Budget
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.registry import Kinds

Compiled = TypeVar("Compiled")


class Failure(msgspec.Struct, frozen=True):
    """A policy could not be evaluated; its failure policy says what follows."""

    bound: Bound
    message: str


class Evaluation(msgspec.Struct, frozen=True):
    """One policy under one binding with one parameter: the variables of its expressions."""

    bound: Bound
    target: Kind
    bindings: dict[str, Any]
    budget: Budget


class Surroundings(msgspec.Struct, frozen=True):
    """What evaluations look at beside the write."""

    cache: WatchCache
    kinds: Kinds
    authorizer: Authorizer


class Evaluations(Generic[Compiled]):
    """Yields what there is to evaluate of one policy for one write."""

    def __init__(
        self,
        entry: Entry[Compiled],
        environment: Environment,
        conditions: Conditions,
        surroundings: Surroundings,
    ) -> None:
        self._entry = entry
        self._environment = environment
        self._conditions = conditions
        self._around = surroundings

    async def of(self, write: Write) -> AsyncIterator[Evaluation | Failure]:
        """Raises Refused (500) when the objects can't be had in the policy's version."""
        around, entry = self._around, self._entry
        target = entry.scope.target(write, around.kinds)
        if target is None or not entry.scope.selectors.match(write, around.cache):
            return
        for bound in entry.bindings:
            if not _narrowed(bound, write, around):
                continue
            # A policy before may have changed the object.
            objects = await _objects(write, target)
            given = bindings_of(write, target, objects, around.authorizer)
            given["namespaceObject"] = namespace_object(write, around.cache)
            try:
                parameters = await parameters_of(
                    entry.policy.spec.param_kind,
                    bound.binding.spec.param_ref,
                    write,
                    around.cache,
                    around.kinds,
                )
            except ParametersMissing as error:
                yield Failure(bound, f"failed to configure binding: {error}")
                continue
            for parameter in parameters:
                found = await self._evaluation(bound, target, {**given, "params": parameter})
                if found is not None:
                    yield found

    async def _evaluation(
        self, bound: Bound, target: Kind, bindings: dict[str, Any]
    ) -> Evaluation | Failure | None:
        if self._conditions:
            try:
                if not await self._conditions.hold(bindings, Budget(PER_MATCH_CONDITIONS)):
                    return None
            except ConditionsFailed as error:
                return Failure(bound, str(error))
        budget = Budget(PER_OBJECT)
        variables = LazyVariables(self._environment.variables, bindings)
        return Evaluation(bound, target, {**bindings, "variables": variables}, budget)


def _narrowed(bound: Bound, write: Write, around: Surroundings) -> bool:
    """Whether the binding's own match resources let the write through."""
    scope = bound.scope
    if scope is None:
        return True
    matches = scope.target(write, around.kinds) is not None
    return matches and scope.selectors.match(write, around.cache)


async def _objects(write: Write, target: Kind) -> tuple[Object | None, Object | None]:
    if write.form is not None:
        return write.new, write.old
    new = await in_version(write.new, write.kind, target)
    return new, await in_version(write.old, write.kind, target)
