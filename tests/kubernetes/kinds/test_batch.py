"""Jobs and CronJobs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.batch.cron_jobs import CRON_JOB
from sampan.kubernetes.kinds.batch.jobs import JOB

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
UID = "9a7d1f3c-0c31-4a5e-9b7e-2b6d1f1f4c1a"


def _template(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "i:1"}]
    return {"spec": {"containers": containers, "restartPolicy": "Never", **spec}}


def _job(name: str = "a", **spec: Any) -> dict[str, Any]:
    job = {
        "kind": "Job",
        "metadata": {"name": name, "namespace": "d", "uid": UID},
        "spec": {"template": _template(), **spec},
    }
    JOB.default(job)
    JOB.prepare(job, None)
    return job


def _cron_job(**spec: Any) -> dict[str, Any]:
    cron_job = {
        "kind": "CronJob",
        "metadata": {"name": "a", "namespace": "d"},
        "spec": {
            "schedule": "*/5 * * * *",
            "jobTemplate": {"spec": {"template": _template()}},
            **spec,
        },
    }
    CRON_JOB.default(cron_job)
    return cron_job


def _causes(job: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    kind = JOB if job["kind"] == "Job" else CRON_JOB
    return {cause.field: cause.message for cause in kind.validate(job, old)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"completions": 1, "parallelism": 1, "backoffLimit": 6}),
        ({"parallelism": 3}, {"parallelism": 3}),
        ({"completions": 5}, {"completions": 5, "parallelism": 1}),
        (
            {"completionMode": "Indexed", "completions": 2, "backoffLimitPerIndex": 1},
            {"backoffLimit": 2**31 - 1},
        ),
        (
            {"podFailurePolicy": {"rules": []}},
            {"podReplacementPolicy": "Failed"},
        ),
        ({"backoffLimit": 0}, {"podReplacementPolicy": "TerminatingOrFailed"}),
    ],
)
def test_defaults(given: dict[str, Any], expected: dict[str, Any]) -> None:
    spec = _job(**given)["spec"]
    assert {key: spec[key] for key in expected} == expected
    assert spec["suspend"] is spec["manualSelector"] is False
    assert ("completions" in spec) is ("completions" in expected or not given.get("parallelism"))


def test_a_job_selects_its_own_pods() -> None:
    job = _job()
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": UID}}
    assert job["spec"]["template"]["metadata"]["labels"] == {
        "batch.kubernetes.io/job-name": "a",
        "job-name": "a",
        "batch.kubernetes.io/controller-uid": UID,
        "controller-uid": UID,
    }
    assert _causes(job) == {}


def test_a_selector_of_ones_own_is_kept() -> None:
    template = _template()
    template["metadata"] = {"labels": {"x": "y"}}
    selector = {"matchLabels": {"x": "y"}}
    job = _job(template=template, selector=selector, manualSelector=True)
    assert job["spec"]["selector"] == selector
    assert job["spec"]["template"]["metadata"]["labels"] == {"x": "y"}
    assert job["metadata"]["labels"] == {"x": "y"}
    assert _causes(job) == {}


def test_labels_that_are_not_the_jobs_own_are_refused() -> None:
    template = _template()
    template["metadata"] = {"labels": {"controller-uid": "other"}}
    causes = _causes(_job(template=template))
    assert causes["spec.template.metadata.labels[controller-uid]"] == (
        f"Invalid value: \"other\": must be '{UID}'"
    )


RULES: list[tuple[dict[str, Any], str, str | None]] = [
    (
        {"template": _template(restartPolicy="Always")},
        "spec.template.spec.restartPolicy",
        'Required value: valid values: "OnFailure", "Never"',
    ),
    ({"parallelism": -1}, "spec.parallelism", None),
    ({"backoffLimit": -1}, "spec.backoffLimit", None),
    ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished", None),
    (
        {"completionMode": "Magic"},
        "spec.completionMode",
        'Unsupported value: "Magic": supported values: "Indexed", "NonIndexed"',
    ),
    (
        {"completionMode": "Indexed", "parallelism": 2},
        "spec.completions",
        "Required value: when completion mode is Indexed",
    ),
    (
        {"completionMode": "Indexed", "completions": 200_000, "parallelism": 100_001},
        "spec.parallelism",
        "Invalid value: 100001: must be less than or equal to 100000 when completion mode is "
        "Indexed",
    ),
    (
        {"backoffLimitPerIndex": 1},
        "spec.backoffLimitPerIndex",
        "Invalid value: 1: requires indexed completion mode",
    ),
    (
        {"completionMode": "Indexed", "completions": 2, "maxFailedIndexes": 1},
        "spec.backoffLimitPerIndex",
        "Required value: when maxFailedIndexes is specified",
    ),
    (
        {
            "completionMode": "Indexed",
            "completions": 2,
            "backoffLimitPerIndex": 1,
            "maxFailedIndexes": 3,
        },
        "spec.maxFailedIndexes",
        "Invalid value: 3: must be less than or equal to completions",
    ),
    ({"managedBy": "plain"}, "spec.managedBy", None),
    ({"successPolicy": {"rules": []}}, "spec.successPolicy", None),
    (
        {
            "podFailurePolicy": {"rules": []},
            "podReplacementPolicy": "TerminatingOrFailed",
        },
        "spec.podReplacementPolicy",
        None,
    ),
    (
        {
            "podFailurePolicy": {"rules": []},
            "template": _template(restartPolicy="OnFailure"),
        },
        "spec.template.spec.restartPolicy",
        'Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
    ),
    (
        {"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}},
        "spec.selector.matchExpressions[0].operator",
        None,
    ),
]


@pytest.mark.parametrize(("spec", "field", "message"), RULES)
def test_rules(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_job(**spec))
    assert field in causes
    assert message is None or causes[field] == message


@pytest.mark.parametrize(
    ("rule", "field", "message"),
    [
        ({}, "action", 'Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'),
        (
            {"action": "FailIndex"},
            "action",
            'Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
        ),
        (
            {"action": "Ignore"},
            "",
            "Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
        ),
        (
            {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [0]}},
            "onExitCodes.values[0]",
            "Invalid value: 0: must not be 0 for the In operator",
        ),
        (
            {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [2, 1]}},
            "onExitCodes.values",
            "Invalid value: [2,1]: must be ordered",
        ),
        (
            {
                "action": "Ignore",
                "onExitCodes": {"operator": "In", "values": [1], "containerName": "x"},
            },
            "onExitCodes.containerName",
            None,
        ),
        (
            {"action": "Ignore", "onPodConditions": [{"type": "a b"}]},
            "onPodConditions[0].type",
            None,
        ),
    ],
)
def test_rules_of_failures(rule: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_job(podFailurePolicy={"rules": [rule]}))
    path = f"spec.podFailurePolicy.rules[0].{field}".removesuffix(".")
    assert path in causes
    assert message is None or causes[path] == message


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({}, ""),
        ({"succeededCount": 11}, "succeededCount"),
        ({"succeededIndexes": "0-2", "succeededCount": 4}, "succeededCount"),
        ({"succeededIndexes": "3,1"}, "succeededIndexes"),
        ({"succeededIndexes": "8-12"}, "succeededIndexes"),
        ({"succeededIndexes": "a"}, "succeededIndexes"),
        ({"succeededIndexes": ""}, "succeededIndexes"),
    ],
)
def test_rules_of_success(rule: dict[str, Any], field: str) -> None:
    indexed = {"completionMode": "Indexed", "completions": 10}
    causes = _causes(_job(**indexed, successPolicy={"rules": [rule]}))
    assert f"spec.successPolicy.rules[0].{field}".removesuffix(".") in causes
    right = {"succeededIndexes": "0,2-4,9", "succeededCount": 5}
    assert _causes(_job(**indexed, successPolicy={"rules": [right]})) == {}


def test_the_pods_of_an_indexed_job_have_host_names() -> None:
    job = _job("a" * 63, completionMode="Indexed", completions=10)
    assert "will not able to create pod with invalid DNS label" in _causes(job)["metadata.name"]


def test_little_of_a_job_may_change() -> None:
    old = _job(parallelism=1)
    assert _causes(_job(parallelism=5), old) == {}
    more = _job(parallelism=1, completions=2)
    assert "field is immutable" in _causes(more, old)["spec.completions"]
    other = _job(parallelism=1, template=_template(terminationGracePeriodSeconds=5))
    assert "field is immutable" in _causes(other, old)["spec.template"]


def test_an_indexed_job_grows_all_at_once() -> None:
    indexed = {"completionMode": "Indexed"}
    old = _job(**indexed, completions=3, parallelism=3)
    assert _causes(_job(**indexed, completions=5, parallelism=5), old) == {}
    causes = _causes(_job(**indexed, completions=5, parallelism=3), old)
    assert causes["spec.completions"].endswith(
        "can only be modified in tandem with spec.parallelism"
    )


def test_a_suspended_job_may_be_sent_elsewhere() -> None:
    old = _job(suspend=True)
    new = _job(suspend=False, template=_template(nodeSelector={"disk": "ssd"}))
    assert _causes(new, old) == {}
    old["status"]["startTime"] = "2026-01-01T00:00:00Z"
    assert "spec.template" in _causes(new, old)


def test_columns_of_jobs() -> None:
    job = _job(completions=3)
    job["status"] = {"succeeded": 1, "startTime": "2026-01-01T11:59:00Z"}
    cells = {column.name: column.cell(job, NOW) for column in JOB.columns}
    assert (cells["Status"], cells["Completions"], cells["Duration"]) == ("Running", "1/3", "60s")
    job["status"] |= {
        "completionTime": "2026-01-01T11:59:10Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    }
    cells = {column.name: column.cell(job, NOW) for column in JOB.columns}
    assert (cells["Status"], cells["Duration"]) == ("Complete", "10s")


def test_defaults_of_cron_jobs() -> None:
    spec = _cron_job()["spec"]
    assert (spec["concurrencyPolicy"], spec["suspend"]) == ("Allow", False)
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 1)
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["dnsPolicy"] == "ClusterFirst"
    assert _causes(_cron_job()) == {}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"schedule": ""}, "spec.schedule", "Required value"),
        (
            {"schedule": "61 * * * *"},
            "spec.schedule",
            'Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
        ),
        (
            {"schedule": "TZ=UTC 0 * * * *"},
            "spec.schedule",
            'Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone '
            "field instead",
        ),
        ({"timeZone": ""}, "spec.timeZone", None),
        ({"timeZone": "Local"}, "spec.timeZone", None),
        (
            {"timeZone": "Mars/Olympus"},
            "spec.timeZone",
            'Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus',
        ),
        ({"timeZone": "../../etc/passwd"}, "spec.timeZone", None),
        (
            {"concurrencyPolicy": "Queue"},
            "spec.concurrencyPolicy",
            'Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"',
        ),
        ({"startingDeadlineSeconds": -1}, "spec.startingDeadlineSeconds", None),
        (
            {"jobTemplate": {"spec": {"template": _template(), "selector": {}}}},
            "spec.jobTemplate.spec.selector",
            "Invalid value: {}: `selector` will be auto-generated",
        ),
        (
            {"jobTemplate": {"spec": {"template": _template(restartPolicy="Always")}}},
            "spec.jobTemplate.spec.template.spec.restartPolicy",
            None,
        ),
    ],
)
def test_rules_of_cron_jobs(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_cron_job(**spec))
    assert field in causes
    assert message is None or causes[field] == message


def test_the_name_of_a_cron_job_leaves_room_for_those_of_its_jobs() -> None:
    cron_job = _cron_job(timeZone="Europe/Berlin")
    assert _causes(cron_job) == {}
    cron_job["metadata"]["name"] = "a" * 53
    assert _causes(cron_job)["metadata.name"].endswith("must be no more than 52 characters")
    assert _causes(cron_job, cron_job) == {}


def test_columns_of_cron_jobs() -> None:
    cron_job = _cron_job()
    cron_job["status"] = {"active": [{}], "lastScheduleTime": "2026-01-01T11:58:00Z"}
    assert [column.cell(cron_job, NOW) for column in CRON_JOB.columns] == [
        "a", "*/5 * * * *", "<none>", "False", 1, "2m", "<unknown>", "c", "i:1", "<none>",
    ]  # fmt: skip
