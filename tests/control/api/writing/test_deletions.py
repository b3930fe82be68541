"""The rules of deletion: options, grace, propagation, and what the answer shows."""

from datetime import timedelta

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
MERGE = {"content-type": "application/merge-patch+json"}


def config_map(name="x", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def options(**given):
    return {"apiVersion": "v1", "kind": "DeleteOptions", **given}


async def bound_pod(api, pod, account):
    await api.create(ACCOUNTS, account)
    body = pod()
    body["spec"]["nodeName"] = "node-1"
    return await api.create(PODS, body)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"propagationPolicy": "Sideways"},
            'propagationPolicy: Unsupported value: "Sideways": supported values: "Background", '
            '"Foreground", "Orphan"',
        ),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            'propagationPolicy: Invalid value: "Orphan": orphanDependents and '
            "deletionPropagation cannot be both set",
        ),
        (
            {"dryRun": ["Some"]},
            'dryRun: Unsupported value: ["Some"]: supported values: "All"',
        ),
    ],
)
def test_options_are_checked(play, given, message):
    async def story(api):
        await api.create(MAPS, config_map())
        answer = await api.send("DELETE", f"{MAPS}/x", options(**given))
        assert answer.code == 422
        assert answer["message"] == f'DeleteOptions.meta.k8s.io "" is invalid: {message}'
        assert (await api.send("GET", f"{MAPS}/x")).code == 200

    play(story)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"gracePeriodSeconds": "soon"},
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds "
            "of type int64",
        ),
        (
            {"preconditions": {"uid": 7}},
            "json: cannot unmarshal number 7 into Go struct field DeleteOptions.preconditions.uid "
            "of type string",
        ),
        (config_map(), "decoded object cannot be converted to DeleteOptions"),
    ],
)
def test_bodies_that_are_no_options_are_told_in_the_words_of_clients(play, body, message):
    async def story(api):
        await api.create(MAPS, config_map())
        answer = await api.send("DELETE", f"{MAPS}/x", body)
        assert (answer.code, answer["message"]) == (400, message)
        assert (await api.send("GET", f"{MAPS}/x")).code == 200

    play(story)


def test_a_collection_is_deleted_a_page_at_a_time(play):
    async def story(api):
        for name in "abcde":
            await api.create(MAPS, config_map(name, labels={"take": "yes"}))
        await api.create(MAPS, config_map("kept"))
        query = {"limit": 2, "labelSelector": "take=yes"}
        gone, token = [], ""
        while True:
            answer = await api.send("DELETE", MAPS, **query, **{"continue": token})
            assert answer.code == 200
            gone.append([it["metadata"]["name"] for it in answer["items"]])
            token = answer["metadata"].get("continue", "")
            if not token:
                break
        assert gone == [["a", "b"], ["c", "d"], ["e"]]
        left = [it["metadata"]["name"] for it in (await api.send("GET", MAPS))["items"]]
        assert left == ["kept"]

    play(story)


def test_the_answer_shows_a_status_or_the_object(play, account):
    async def story(api):
        made = await api.create(MAPS, config_map())
        gone = await api.send("DELETE", f"{MAPS}/x")
        assert gone["status"] == "Success"
        assert gone["details"] == {
            "name": "x",
            "kind": "configmaps",
            "uid": made["metadata"]["uid"],
        }
        await api.create(ACCOUNTS, account)
        shown = await api.send("DELETE", f"{ACCOUNTS}/default")
        assert shown["kind"] == "ServiceAccount"
        await api.create(MAPS, config_map(finalizers=["example.org/wait"]))
        waits = await api.send("DELETE", f"{MAPS}/x", options(orphanDependents=False))
        assert (waits.code, waits["kind"]) == (202, "ConfigMap")
        assert waits["metadata"]["deletionGracePeriodSeconds"] == 0

    play(story)


def test_a_dry_run_deletes_nothing(play):
    async def story(api):
        await api.create(MAPS, config_map())
        assert (await api.send("DELETE", f"{MAPS}/x", options(dryRun=["All"]))).code == 200
        assert (await api.send("DELETE", MAPS, None, dryRun="All")).code == 200
        assert (await api.send("GET", f"{MAPS}/x")).code == 200

    play(story)


def test_a_grace_can_only_become_shorter_and_counts_from_the_first_deletion(play, pod, account):
    async def story(api):
        await bound_pod(api, pod, account)
        first = await api.send("DELETE", f"{PODS}/web", None, gracePeriodSeconds=60)
        assert first["metadata"]["deletionTimestamp"] == "2026-11-23T12:01:00Z"
        api.now += timedelta(seconds=10)
        longer = await api.send("DELETE", f"{PODS}/web", None, gracePeriodSeconds=90)
        assert longer["metadata"]["deletionGracePeriodSeconds"] == 60
        default = await api.send("DELETE", f"{PODS}/web")
        assert default["metadata"]["deletionTimestamp"] == "2026-11-23T12:01:00Z"
        shorter = await api.send("DELETE", f"{PODS}/web", None, gracePeriodSeconds=20)
        assert shorter["metadata"]["deletionGracePeriodSeconds"] == 20
        assert shorter["metadata"]["deletionTimestamp"] == "2026-11-23T12:00:20Z"
        forced = await api.send("DELETE", f"{PODS}/web", options(gracePeriodSeconds=0))
        assert forced.code == 200
        assert (await api.send("GET", f"{PODS}/web")).code == 404

    play(story)


def test_a_negative_grace_is_one_second(play, pod, account):
    async def story(api):
        await bound_pod(api, pod, account)
        answer = await api.send("DELETE", f"{PODS}/web", options(gracePeriodSeconds=-5))
        assert answer["metadata"]["deletionGracePeriodSeconds"] == 1

    play(story)


def test_a_forced_pod_with_finalizers_waits_for_them(play, pod, account):
    async def story(api):
        await bound_pod(api, pod, account)
        patch = {"metadata": {"finalizers": ["example.org/wait"]}}
        await api.send("PATCH", f"{PODS}/web", patch, headers=MERGE)
        marked = await api.send("DELETE", f"{PODS}/web", options(gracePeriodSeconds=0))
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
        added = {"metadata": {"finalizers": ["example.org/wait", "example.org/more"]}}
        refused = await api.send("PATCH", f"{PODS}/web", added, headers=MERGE)
        assert refused.code == 422
        released = {"metadata": {"finalizers": None}}
        await api.send("PATCH", f"{PODS}/web", released, headers=MERGE)
        assert (await api.send("GET", f"{PODS}/web")).code == 404

    play(story)


def test_jobs_leave_their_pods_unless_told_otherwise(play):
    async def story(api):
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "j"},
            "spec": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "main", "image": "hello:1"}],
                    }
                }
            },
        }
        await api.create(JOBS, job)
        waits = await api.send("DELETE", f"{JOBS}/j")
        assert "orphan" in waits["metadata"]["finalizers"]
        assert "child pods are preserved by default" in waits.headers["Warning"]
        await api.create(JOBS, job | {"metadata": {"name": "k"}})
        gone = await api.send("DELETE", f"{JOBS}/k", options(propagationPolicy="Background"))
        assert gone["status"] == "Success"

    play(story)


def test_a_large_collection_goes(play):
    async def story(api):
        for number in range(70):
            await api.create(MAPS, config_map(f"x{number}", labels={"n": str(number % 2)}))
        answer = await api.send("DELETE", MAPS, None, labelSelector="n=1")
        assert len(answer["items"]) == 35
        left = (await api.send("GET", MAPS))["items"]
        assert {it["metadata"]["labels"]["n"] for it in left} == {"0"}

    play(story)
