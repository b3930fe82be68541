"""What the node knows of one pod at one moment: the input of the plan and of the status.

Everything here is frozen and comes from outside (engine, network, probes, the clock); nothing
is decided. Times are seconds since the epoch.
"""

from collections.abc import Mapping

import msgspec

from sampan.engine.contract import ContainerPhase

LABEL_NAMESPACE = "io.kubernetes.pod.namespace"
LABEL_POD = "io.kubernetes.pod.name"
LABEL_UID = "io.kubernetes.pod.uid"
LABEL_CONTAINER = "io.kubernetes.container.name"
LABEL_ATTEMPT = "io.kubernetes.container.restartCount"
LABEL_SANDBOX = "io.sampan.pod.sandbox"
LABEL_DELAY = "io.sampan.container.restartDelay"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a container of the pod, living or ended.

    `attempt` counts restarts; `sandbox` numbers the pod's networks, so that a run from before
    the node's death is known; `delay` is how long its successor waits after it ends.
    `reason` is empty unless the run never came to life (StartError).
    """

    container: str
    identifier: str
    attempt: int = 0
    sandbox: int = 1
    delay: float = 0
    phase: ContainerPhase = "running"
    started: float = 0
    finished: float = 0
    exit_code: int = 0
    out_of_memory: bool = False
    image: str = ""
    image_digest: str = ""
    reason: str = ""
    message: str = ""

    @property
    def has_ended(self) -> bool:
        return self.phase == "exited"

    @property
    def is_running(self) -> bool:
        return self.phase == "running"


class Health(msgspec.Struct, frozen=True):
    """What the probes found of one run; `failure` names the probe that demands its end."""

    started: bool = False
    ready: bool = False
    failure: str = ""


class Trouble(msgspec.Struct, frozen=True):
    """Why a container (or the whole pod) can't be started; tried again at `until`.

    `until` None waits for an event (an object that the pod refers to changes).
    """

    reason: str
    message: str
    until: float | None = None
    delay: float = 0


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The pod is being taken down: since when, and with how much grace.

    `traffic_ends` is when no new traffic can reach it any more; None while it is still routed.
    """

    since: float
    grace: float
    traffic_ends: float | None = None

    @property
    def deadline(self) -> float:
        return self.since + self.grace


class PodState(msgspec.Struct, frozen=True, kw_only=True):
    """`runs` are each container's, oldest first. `sandbox` 0 means that there is no network.

    `stopping` holds the deadline by which each run that was told to stop will be killed.
    `troubles` are keyed by container name; "" is the pod's own.
    """

    sandbox: int = 0
    address: str = ""
    runs: Mapping[str, tuple[Run, ...]] = {}
    health: Mapping[str, Health] = {}
    troubles: Mapping[str, Trouble] = {}
    stopping: Mapping[str, float] = {}
    ending: Ending | None = None
    rejection: Trouble | None = None
    started: float = 0
    released: bool = False

    def latest(self, container: str) -> Run | None:
        runs = self.runs.get(container, ())
        return runs[-1] if runs else None

    def healthy(self, run: Run | None) -> Health:
        return self.health.get(run.identifier, Health()) if run else Health()

    @property
    def living(self) -> tuple[Run, ...]:
        return tuple(run for runs in self.runs.values() for run in runs if not run.has_ended)
