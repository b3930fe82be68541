"""One decision: the best node for a pod, or why there is none. Pure but for what it remembers.

What depends on the template and on nodes alone is worked out once and kept until a node
changes, so that the next of hundreds of siblings costs a few passes over arrays.
"""

from random import Random

import msgspec
import numpy as np

from sampan.control.scheduler import filters, scores
from sampan.control.scheduler.columns import Columns
from sampan.control.scheduler.requirements import Requirements

_REMEMBERED_TEMPLATES = 256


class Decision(msgspec.Struct, frozen=True):
    """`node` is empty when there is none; `message` then says why, as Kubernetes does."""

    node: str = ""
    message: str = ""


class _Template(msgspec.Struct, frozen=True):
    verdict: filters.Verdict
    preferences: scores.Preferences


class Cycle:
    """Decides over one table of nodes; equal scores are decided by `random`."""

    def __init__(self, columns: Columns, random: Random) -> None:
        self._columns = columns
        self._random = random
        self._generation = -1
        self._templates: dict[bytes, _Template] = {}

    def decide(self, needs: Requirements) -> Decision:
        """The node that a pod should go to. Nothing is counted yet."""
        template = self._template(needs)
        fits = filters.dynamic(self._columns, needs, template.verdict.feasible)
        candidates = np.flatnonzero(fits.feasible)
        if not len(candidates):
            refusals = (*template.verdict.refusals, *fits.refusals)
            return Decision(message=_message(self._columns, refusals))
        totals = scores.total(self._columns, needs, template.preferences, candidates)
        best = candidates[np.flatnonzero(totals >= totals.max() - 1e-9)]
        node = self._columns.nodes[int(best[self._random.randrange(len(best))])]
        return Decision(node=node.metadata.name if node is not None else "")

    def _template(self, needs: Requirements) -> _Template:
        if self._generation != self._columns.generation:
            self._templates.clear()
            self._generation = self._columns.generation
        found = self._templates.get(needs.template)
        if found is None:
            if len(self._templates) >= _REMEMBERED_TEMPLATES:
                self._templates.pop(next(iter(self._templates)))
            found = _Template(
                filters.static(self._columns, needs), scores.preferences(self._columns, needs)
            )
            self._templates[needs.template] = found
        return found


def _message(columns: Columns, refusals: tuple[filters.Refusal, ...]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`"""
    number = len(columns.slots)
    if not number:
        return "0/0 nodes are available: no nodes available to schedule pods."
    reasons = sorted(f"{int(each.nodes.sum())} {each.reason}" for each in refusals)
    return f"0/{number} nodes are available: {', '.join(reasons)}."
