"""CronJob: jobs at given times."""

import zoneinfo
from collections.abc import Iterator
from datetime import datetime

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.batch.job_validation import check_job_spec
from sampan.kubernetes.kinds.batch.jobs import default_job_spec
from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, number, part, selector_text, text
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import CRON_JOBS
from sampan.kubernetes.kinds.workload import check_not_negative
from sampan.kubernetes.machinery import cron, durations
from sampan.kubernetes.machinery.causes import invalid, required, unsupported

_CONCURRENCY = ("Allow", "Forbid", "Replace")
_SUCCESSES_KEPT = 3
_FAILURES_KEPT = 1
# A job's name gets eleven more signs, and must be a label still.
_LONGEST_NAME = 52
_ZONES = "https://www.iana.org/time-zones"


def _default(cron_job: Object) -> None:
    """pkg/apis/batch/v1 SetDefaults_CronJob."""
    spec = cron_job.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", _SUCCESSES_KEPT)
    spec.setdefault("failedJobsHistoryLimit", _FAILURES_KEPT)
    default_job_spec(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {}


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/batch/validation ValidateCronJobCreate and ValidateCronJobUpdate."""
    spec, name = new.get("spec") or {}, new["metadata"].get("name", "")
    if old is None and len(name) > _LONGEST_NAME:
        yield invalid("metadata.name", name, f"must be no more than {_LONGEST_NAME} characters")
    yield from _check_schedule(spec, (old or {}).get("spec") or {})
    yield from check_not_negative(
        spec,
        "spec",
        ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"),
    )
    policy = spec.get("concurrencyPolicy", "")
    if not policy:
        yield required("spec.concurrencyPolicy")
    elif policy not in _CONCURRENCY:
        yield unsupported("spec.concurrencyPolicy", policy, _CONCURRENCY)
    yield from _check_template((spec.get("jobTemplate") or {}).get("spec") or {})


def _check_template(spec: Object) -> Iterator[Cause]:
    field = "spec.jobTemplate.spec"
    yield from check_job_spec(spec, field)
    if spec.get("selector") is not None:
        yield invalid(f"{field}.selector", spec["selector"], "`selector` will be auto-generated")
    if spec.get("manualSelector"):
        yield unsupported(f"{field}.manualSelector", True, ("nil", "false"))


def _check_schedule(spec: Object, before: Object) -> Iterator[Cause]:
    schedule, zone = spec.get("schedule", ""), spec.get("timeZone")
    if not schedule:
        yield required("spec.schedule")
    elif "TZ" in schedule:
        if zone is not None:
            detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            yield invalid("spec.timeZone", zone, detail)
        if schedule != before.get("schedule"):
            detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            yield invalid("spec.schedule", schedule, detail)
    else:
        try:
            cron.parse(schedule)
        except cron.InvalidSchedule as error:
            yield invalid("spec.schedule", schedule, str(error))
    if zone is not None and zone != before.get("timeZone"):
        yield from _check_zone(zone)


def _check_zone(zone: str) -> Iterator[Cause]:
    if not zone:
        yield invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")
    elif zone.lower() == "local":
        detail = f"timeZone must be an explicit time zone as defined in {_ZONES}"
        yield invalid("spec.timeZone", zone, detail)
    elif not _is_zone(zone):
        yield invalid("spec.timeZone", zone, f"unknown time zone {zone}")


def _is_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def _suspended(cron_job: Object) -> str:
    suspend = part(cron_job, "spec", "suspend")
    return "<unset>" if suspend is None else str(bool(suspend))


def _pod_containers(cron_job: Object, key: str) -> str:
    path = ("spec", "jobTemplate", "spec", "template", "spec", "containers")
    return ",".join(it.get(key, "") for it in part(cron_job, *path) or ())


def _last_schedule(cron_job: Object, now: datetime) -> str:
    moment = part(cron_job, "status", "lastScheduleTime")
    return durations.since(moment, now) if moment else NONE


CRON_JOB = make(
    CRON_JOBS,
    default=_default,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("cj",),
    categories=("all",),
    columns=(
        NAME,
        text("Schedule", lambda it: part(it, "spec", "schedule") or "", about="When jobs start."),
        text(
            "Timezone",
            lambda it: part(it, "spec", "timeZone") or NONE,
            about="The zone whose time the schedule is in.",
        ),
        Column(
            name="Suspend",
            type="boolean",
            cell=lambda it, _now: _suspended(it),
            description="Whether no further jobs start.",
        ),
        number("Active", lambda it: len(part(it, "status", "active") or ()), about="Running jobs."),
        Column(
            name="Last Schedule",
            type="string",
            cell=_last_schedule,
            description="When a job was started last.",
        ),
        AGE,
        text("Containers", lambda it: _pod_containers(it, "name"), 1, "The template's containers."),
        text("Images", lambda it: _pod_containers(it, "image"), 1, "The template's images."),
        text(
            "Selector",
            lambda it: selector_text(part(it, "spec", "jobTemplate", "spec", "selector")),
            1,
            "Label selector for pods.",
        ),
    ),
)
