"""The rules of jobs (pkg/apis/batch/validation), in Kubernetes' words."""

from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.kinds.batch.job_policies import check_failure_policy, check_success_policy
from sampan.kubernetes.kinds.columns import part
from sampan.kubernetes.kinds.core.pod_validation import check_template
from sampan.kubernetes.kinds.field_rules import check_choice, check_domain_path
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable, check_label_selector
from sampan.kubernetes.kinds.workload import check_match, check_not_negative
from sampan.kubernetes.machinery import names, selectors
from sampan.kubernetes.machinery.causes import invalid, required, too_long, unsupported

_MODES = ("Indexed", "NonIndexed")
_REPLACEMENT = ("Failed", "TerminatingOrFailed")
_MOST_PARALLEL = 100_000
_MOST_PARALLEL_OF_MANY = 10_000
_MANY = 100_000
_MANAGER_LENGTH = 63
_NUMBERS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_IMMUTABLE = (
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)
_INDEXED_ONLY = "requires indexed completion mode"
_UID_LABEL = "batch.kubernetes.io/controller-uid"
_NAME_LABEL = "batch.kubernetes.io/job-name"


def job_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """A job, and what an update may change."""
    spec = new.get("spec") or {}
    yield from _check_index_names(new)
    yield from check_job_spec(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    else:
        causes = list(check_label_selector(selector, "spec.selector"))
        yield from causes
        if not causes:
            yield from check_match(selector, spec.get("template") or {})
            if not spec.get("manualSelector"):
                yield from _check_own_selector(new, selector)
    if old is not None:
        yield from _check_update(spec, old)


def check_job_spec(spec: Object, field: str) -> Iterator[Cause]:
    """What holds for jobs and for the templates of jobs."""
    yield from check_not_negative(spec, field, _NUMBERS)
    yield from _check_completions(spec, field)
    yield from check_choice(spec, "podReplacementPolicy", _REPLACEMENT, field)
    if "podFailurePolicy" in spec:
        yield from check_failure_policy(spec, f"{field}.podFailurePolicy")
        if spec.get("podReplacementPolicy", "Failed") != "Failed":
            policy = spec["podReplacementPolicy"]
            yield unsupported(f"{field}.podReplacementPolicy", policy, ("Failed",))
    if "successPolicy" in spec:
        if spec.get("completionMode") != "Indexed":
            yield invalid(f"{field}.successPolicy", spec["successPolicy"], _INDEXED_ONLY)
        else:
            yield from check_success_policy(spec, f"{field}.successPolicy")
    if spec.get("managedBy") is not None:
        yield from check_domain_path(spec["managedBy"], f"{field}.managedBy")
        if len(spec["managedBy"]) > _MANAGER_LENGTH:
            yield too_long(f"{field}.managedBy", _MANAGER_LENGTH)
    yield from check_template(spec.get("template") or {}, f"{field}.template")
    yield from _check_restart_policy(spec, f"{field}.template.spec.restartPolicy")


def _check_completions(spec: Object, field: str) -> Iterator[Cause]:
    """The numbers of pods and of indexes, as the completion mode has them."""
    yield from check_choice(spec, "completionMode", _MODES, field)
    completions, parallelism = spec.get("completions"), spec.get("parallelism", 0)
    per_index, most = spec.get("backoffLimitPerIndex"), spec.get("maxFailedIndexes")
    if spec.get("completionMode") == "Indexed":
        if completions is None:
            yield required(f"{field}.completions", "when completion mode is Indexed")
        if parallelism > _MOST_PARALLEL:
            detail = (
                f"must be less than or equal to {_MOST_PARALLEL} when completion mode is Indexed"
            )
            yield invalid(f"{field}.parallelism", parallelism, detail)
        if per_index is not None and (completions or 0) > _MANY:
            yield from _check_many(spec, field)
    else:
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if name in spec:
                yield invalid(f"{field}.{name}", spec[name], _INDEXED_ONLY)
    if most is not None:
        if per_index is None:
            yield required(f"{field}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
        if completions is not None and most > completions:
            detail = "must be less than or equal to completions"
            yield invalid(f"{field}.maxFailedIndexes", most, detail)


def _check_many(spec: Object, field: str) -> Iterator[Cause]:
    """A job whose indexes are counted one by one, and which has very many."""
    if spec.get("maxFailedIndexes") is None:
        yield required(
            f"{field}.maxFailedIndexes", f"must be specified when completions is above {_MANY}"
        )
    if spec.get("parallelism", 0) > _MOST_PARALLEL_OF_MANY:
        detail = (
            f"must be less than or equal to {_MOST_PARALLEL_OF_MANY} when completions are above "
            f"{_MANY} and used with backoff limit per index"
        )
        yield invalid(f"{field}.parallelism", spec["parallelism"], detail)


def _check_restart_policy(spec: Object, field: str) -> Iterator[Cause]:
    policy = part(spec, "template", "spec", "restartPolicy") or ""
    if policy in ("", "Always"):
        yield required(field, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield unsupported(field, policy, ("OnFailure", "Never"))
    elif policy == "OnFailure" and "podFailurePolicy" in spec:
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        yield invalid(field, policy, detail)


def _check_index_names(job: Object) -> Iterator[Cause]:
    """The pods' host names end with their index and must be labels still."""
    spec, name = job.get("spec") or {}, job["metadata"].get("name", "")
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        longest = f"{name}-{completions - 1}"
        if names.label(longest):
            detail = f"will not able to create pod with invalid DNS label: {longest}"
            yield invalid("metadata.name", name, detail)


def _check_own_selector(job: Object, selector: Object) -> Iterator[Cause]:
    """A selector that the server made is that of this job, and the template carries its mark."""
    metadata = job["metadata"]
    labels = part(job, "spec", "template", "metadata", "labels") or {}
    expected = {
        "controller-uid": metadata.get("uid", ""),
        _UID_LABEL: metadata.get("uid", ""),
        "job-name": metadata.get("name", ""),
        _NAME_LABEL: metadata.get("name", ""),
    }
    for key, value in expected.items():
        field = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            yield required(field, f"must be '{value}'")
        elif labels[key] != value:
            yield invalid(field, labels[key], f"must be '{value}'")
    chosen = selectors.from_object(selector)
    if chosen is not None and not chosen.matches(expected):
        yield invalid("spec.selector", selector, "`selector` not auto-generated")


def _check_update(spec: Object, old: Object) -> Iterator[Cause]:
    before = old.get("spec") or {}
    if spec.get("completions") != before.get("completions"):
        yield from _check_resized(spec, before)
    for name in _IMMUTABLE:
        yield from check_immutable(spec.get(name), before.get(name), f"spec.{name}")
    template, earlier = spec.get("template") or {}, before.get("template") or {}
    waits = before.get("suspend") and not part(old, "status", "startTime")
    if (_fixed(template) if waits else template) != (_fixed(earlier) if waits else earlier):
        yield from check_immutable(template, earlier, "spec.template")


def _check_resized(spec: Object, before: Object) -> Iterator[Cause]:
    """An indexed job may grow and shrink, all its indexes at once."""
    completions = spec.get("completions")
    fixed = spec.get("completionMode") != "Indexed" or None in (
        completions,
        before.get("completions"),
    )
    if fixed:
        yield from check_immutable(completions, before.get("completions"), "spec.completions")
    elif completions != spec.get("parallelism"):
        detail = "can only be modified in tandem with spec.parallelism"
        yield invalid("spec.completions", completions, detail)


def _fixed(template: Object) -> Object:
    """What may not change before a suspended job's start: all but where its pods go."""
    metadata = template.get("metadata") or {}
    changeable = ("nodeSelector", "tolerations", "schedulingGates")
    spec: dict[str, Any] = {
        key: it for key, it in (template.get("spec") or {}).items() if key not in changeable
    }
    affinity = dict(spec.pop("affinity", None) or {})
    affinity.pop("nodeAffinity", None)
    kept = {key: it for key, it in metadata.items() if key not in ("labels", "annotations")}
    return {"metadata": kept, "spec": spec, "affinity": affinity}
