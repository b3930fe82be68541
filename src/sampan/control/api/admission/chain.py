"""Admission in its phases: what fills in, hooks that change, what judges, hooks that judge.

Theory: rules that need not wait are plain functions and run one after another. Hooks are
asked only when one concerns the write, so that others pay nothing for them. When a hook has
changed the object, the plain rules run again, and so do the hooks that asked for it, once.
"""

import msgspec

from sampan.control.api.admission.write import (
    Admission,
    Mutating,
    Reinvocation,
    Validating,
    Write,
)

_encode = msgspec.json.Encoder().encode


class AdmissionChain:
    """The phases in their order; each list is worked off from its first entry.

    `gates` are asked first, of what comes in any form.
    """

    def __init__(
        self,
        *,
        gates: tuple[Admission, ...],
        filling: tuple[Admission, ...],
        mutating: tuple[Mutating, ...] = (),
        judging: tuple[Admission, ...],
        validating: tuple[Validating, ...] = (),
    ) -> None:
        self._gates = gates
        self._filling = filling
        self._mutating = mutating
        self._judging = judging
        self._validating = validating

    async def mutate(self, write: Write) -> None:
        """May change the object or put another in its place. Raises Refused."""
        for gate in self._gates:
            gate(write)
        if write.template is None:
            self.fill(write)
        else:
            write.object["spec"] = write.template.finished
        if write.reviewed:
            return
        hooks = [it for it in self._mutating if it.concerns(write)]
        if not hooks:
            return
        write.own_spec()
        reinvocation = Reinvocation()
        for hook in hooks:
            await hook.mutate(write, reinvocation)
        if reinvocation.is_needed:
            reinvocation.is_second_round = True
            before = _encode(write.new)
            self.fill(write)
            if _encode(write.new) != before:
                reinvocation.object_changed()
            for hook in hooks:
                await hook.mutate(write, reinvocation)

    async def judge(self, write: Write) -> None:
        """The verdicts on a finished object, or on a deletion. Raises Refused."""
        if write.form is None:
            for admission in self._judging:
                admission(write)
        if write.reviewed:
            return
        for hook in self._validating:
            if hook.concerns(write):
                await hook.judge(write)

    async def review(self, write: Write) -> None:
        """Both, for what is not stored in this form. Raises Refused."""
        await self.mutate(write)
        await self.judge(write)

    def fill(self, write: Write) -> None:
        """The plain rules that add what an object needs. Raises Refused."""
        # They know the resources' own objects, not the forms of subresources.
        if write.form is None:
            for admission in self._filling:
                admission(write)
