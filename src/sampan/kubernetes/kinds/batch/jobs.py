"""Job: pods that run until the work is done."""

from datetime import datetime

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.batch.job_validation import job_rules
from sampan.kubernetes.kinds.columns import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, part, text
from sampan.kubernetes.kinds.core.pod_defaults import default_template
from sampan.kubernetes.kinds.kind import Column, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import JOBS
from sampan.kubernetes.machinery import durations, timestamps

_BACKOFF_LIMIT = 6
_UNLIMITED = 2**31 - 1
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _default(job: Object) -> None:
    """pkg/apis/batch/v1 SetDefaults_Job."""
    spec = job.setdefault("spec", {})
    template = spec.setdefault("template", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    limited = "backoffLimitPerIndex" in spec
    spec.setdefault("backoffLimit", _UNLIMITED if limited else _BACKOFF_LIMIT)
    labels = (template.get("metadata") or {}).get("labels")
    metadata = job.setdefault("metadata", {})
    if labels and not metadata.get("labels"):
        metadata["labels"] = dict(labels)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    failed = "podFailurePolicy" in spec
    spec.setdefault("podReplacementPolicy", "Failed" if failed else "TerminatingOrFailed")
    default_job_spec(spec)


def default_job_spec(spec: Object) -> None:
    """The defaults that a job's template in a CronJob gets too."""
    default_template(spec.setdefault("template", {}))
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {}
        if not new["spec"].get("manualSelector"):
            _select_own_pods(new)


def _select_own_pods(job: Object) -> None:
    """Mark the template with the job's name and uid, and select its pods by the uid.

    Labels that a user has set stay; validation refuses those that don't fit.
    """
    spec, metadata = job["spec"], job["metadata"]
    marked = spec["template"].setdefault("metadata", {})
    labels = marked["labels"] = dict(marked.get("labels") or {})
    uid = metadata.get("uid", "")
    for keys, value in ((_NAME_LABELS, metadata.get("name", "")), (_UID_LABELS, uid)):
        for key in keys:
            labels.setdefault(key, value)
    selector = spec.setdefault("selector", {})
    selector.setdefault("matchLabels", {}).setdefault(_UID_LABELS[0], uid)


def _condition(job: Object, kind: str) -> Object | None:
    conditions = part(job, "status", "conditions") or ()
    return next(
        (it for it in conditions if (it.get("type"), it.get("status")) == (kind, "True")), None
    )


def _status(job: Object) -> str:
    for kind in ("Complete", "Failed"):
        if _condition(job, kind):
            return kind
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((kind for kind in _STATES if _condition(job, kind)), "Running")


def _completions(job: Object) -> str:
    done = part(job, "status", "succeeded") or 0
    wanted = part(job, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = part(job, "spec", "parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(job: Object, now: datetime) -> str:
    started, ended = part(job, "status", "startTime"), part(job, "status", "completionTime")
    if not started:
        return ""
    failed = _condition(job, "Failed")
    if not ended and failed is not None:
        ended = failed.get("lastTransitionTime")
    end = timestamps.parse(ended) if ended else now
    return durations.human((end - timestamps.parse(started)).total_seconds())


JOB = make(
    JOBS,
    default=_default,
    rules=job_rules,
    prepare=_prepare,
    status=True,
    categories=("all",),
    selectable=("status.successful",),
    renamed={"status.successful": "status.succeeded"},
    columns=(
        NAME,
        text("Status", _status, about="Status of the job."),
        text("Completions", _completions, about="Pods that succeeded, and how many must."),
        Column(
            name="Duration",
            type="string",
            cell=_duration,
            description="Time required to complete the job.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
)
