"""Server-side apply and the ownership of fields, as a client sees them."""

import asyncio
import json
from datetime import timedelta

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"
APPLY = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}


def config_map(name="x", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(replicas=1, image="hello:1", **more):
    spec = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": image, **more}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": spec,
    }


async def apply(api, path, body, manager="one", **parameters):
    name = body["metadata"]["name"]
    return await api.send(
        "PATCH", f"{path}/{name}", body, headers=APPLY, fieldManager=manager, **parameters
    )


def entries(tree):
    return {
        (it["manager"], it["operation"], it.get("subresource", "")): it
        for it in tree["metadata"].get("managedFields", [])
    }


def test_applying_creates_and_applying_again_changes_nothing(play):
    async def story(api):
        made = await apply(api, MAPS, config_map(a="1"))
        assert made.code == 201
        assert made["metadata"]["managedFields"] == [
            {
                "manager": "one",
                "operation": "Apply",
                "apiVersion": "v1",
                "time": "2026-11-23T12:00:00Z",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {"f:a": {}}},
            }
        ]
        api.now += timedelta(minutes=1)
        again = await apply(api, MAPS, config_map(a="1"))
        assert again.code == 200
        assert again.json == made.json

    play(story)


def test_what_is_created_belongs_to_its_creator(play):
    async def story(api):
        headers = {"user-agent": "kubectl/v1.37.0 (linux/amd64)"}
        answer = await api.send("POST", MAPS, config_map(a="1"), headers=headers)
        (entry,) = answer["metadata"]["managedFields"]
        assert (entry["manager"], entry["operation"]) == ("kubectl", "Update")
        assert entry["fieldsV1"] == {"f:data": {".": {}, "f:a": {}}}

    play(story)


def test_another_value_for_anothers_field_is_a_conflict_until_it_is_forced(play):
    async def story(api):
        await api.create(DEPLOYMENTS, deployment(), fieldManager="kubectl-client-side-apply")
        refused = await apply(api, DEPLOYMENTS, deployment(3))
        assert refused.code == 409
        assert refused["reason"] == "Conflict"
        assert refused["message"] == (
            'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using '
            "apps/v1: .spec.replicas"
        )
        assert refused["details"]["causes"] == [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
                "field": ".spec.replicas",
            }
        ]
        several = await apply(api, DEPLOYMENTS, deployment(3, "hello:2"))
        assert several["message"] == (
            "Apply failed with 2 conflicts: conflicts with "
            '"kubectl-client-side-apply" using apps/v1:\n- .spec.replicas\n'
            '- .spec.template.spec.containers[name="main"].image'
        )
        forced = await apply(api, DEPLOYMENTS, deployment(3), force="true")
        assert forced.code == 200
        assert forced["spec"]["replicas"] == 3
        before = entries(forced.json)["kubectl-client-side-apply", "Update", ""]
        assert "f:replicas" not in before["fieldsV1"]["f:spec"]

    play(story)


def test_appliers_share_what_they_agree_on(play):
    async def story(api):
        await apply(api, MAPS, config_map(a="1", b="2"))
        shared = await apply(api, MAPS, config_map(a="1"), manager="two")
        assert shared.code == 200
        # One gives `a` up, two still wants it; nobody else wants `b`.
        left = await apply(api, MAPS, config_map())
        assert left["data"] == {"a": "1"}
        gone = await apply(api, MAPS, config_map(), manager="two")
        assert "data" not in gone.json

    play(story)


def test_what_an_applier_gives_up_falls_back_to_its_default(play):
    async def story(api):
        await apply(api, DEPLOYMENTS, deployment(5))
        answer = await apply(api, DEPLOYMENTS, deployment(None))
        assert answer["spec"]["replicas"] == 1

    play(story)


def test_updates_take_fields_away_from_appliers(play):
    async def story(api):
        await apply(api, MAPS, config_map(a="1", b="2"))
        patch = {"data": {"a": "9"}}
        taken = await api.send("PATCH", f"{MAPS}/x", patch, headers=MERGE, fieldManager="ed")
        owners = entries(taken.json)
        assert owners["one", "Apply", ""]["fieldsV1"] == {"f:data": {"f:b": {}}}
        assert owners["ed", "Update", ""]["fieldsV1"] == {"f:data": {"f:a": {}}}
        kept = await apply(api, MAPS, config_map(b="3"))
        assert kept["data"] == {"a": "9", "b": "3"}

    play(story)


def test_items_of_lists_are_owned_one_by_one_with_defaults_in_their_keys(play):
    async def story(api):
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"a": "b"}, "ports": [{"name": "one", "port": 80}]},
        }
        made = await apply(api, SERVICES, service)
        (entry,) = made["metadata"]["managedFields"]
        assert 'k:{"port":80,"protocol":"TCP"}' in entry["fieldsV1"]["f:spec"]["f:ports"]
        other = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"ports": [{"name": "two", "port": 443, "protocol": "TCP"}]},
        }
        both = await apply(api, SERVICES, other, manager="two")
        assert [it["port"] for it in both["spec"]["ports"]] == [80, 443]
        back = await apply(api, SERVICES, service | {"spec": {"selector": {"a": "b"}}})
        assert [it["port"] for it in back["spec"]["ports"]] == [443]

    play(story)


def test_a_configuration_must_fit_the_schema(play):
    async def story(api):
        unknown = await apply(api, MAPS, config_map() | {"datum": {}})
        assert unknown.code == 400
        assert unknown["message"] == (
            "failed to create typed patch object (/x; v1, Kind=ConfigMap): "
            ".datum: field not declared in schema"
        )
        twice = deployment()
        twice["spec"]["template"]["spec"]["containers"] *= 2
        answer = await apply(api, DEPLOYMENTS, twice)
        assert 'containers: duplicate entries for key [name="main"]' in answer["message"]
        nameless = deployment()
        del nameless["spec"]["template"]["spec"]["containers"][0]["name"]
        answer = await apply(api, DEPLOYMENTS, nameless)
        assert "omits all key fields" in answer["message"]
        version = await apply(api, MAPS, config_map() | {"apiVersion": "v2"})
        assert version["message"] == (
            "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1"
        )
        managed = config_map()
        managed["metadata"]["managedFields"] = []
        answer = await apply(api, MAPS, managed)
        assert (answer.code, answer["message"]) == (400, "metadata.managedFields must be nil")

    play(story)


def test_options_of_patches_are_checked(play):
    async def story(api):
        nobody = await api.send("PATCH", f"{MAPS}/x", config_map(), headers=APPLY)
        assert nobody.code == 422
        assert nobody["message"] == (
            'PatchOptions.meta.k8s.io "" is invalid: '
            "fieldManager: Required value: is required for apply patch"
        )
        forced = await api.send("PATCH", f"{MAPS}/x", {}, headers=MERGE, force="true")
        assert forced["details"]["causes"][0]["message"] == (
            "Forbidden: may not be specified for non-apply patch"
        )
        long = await apply(api, MAPS, config_map(), manager="m" * 129)
        assert long.code == 422
        cbor = {"content-type": "application/apply-patch+cbor"}
        assert (await api.send("PATCH", f"{MAPS}/x", {}, headers=cbor)).code == 415

    play(story)


def test_the_version_and_uid_in_a_configuration_are_preconditions(play):
    async def story(api):
        old = config_map(a="1")
        old["metadata"]["uid"] = "6c4f7d86-9b7e-4a54-8a3d-000000000000"
        absent = await apply(api, MAPS, old)
        assert absent.code == 409
        assert "uid mismatch" in absent["message"]
        made = (await apply(api, MAPS, config_map(a="1"))).json
        assert (await apply(api, MAPS, old)).code == 409
        named = config_map(a="2")
        named["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
        assert (await apply(api, MAPS, named)).code == 200
        assert (await apply(api, MAPS, named | {"data": {"a": "3"}})).code == 409

    play(story)


def test_a_dry_run_keeps_nothing(play):
    async def story(api):
        made = await apply(api, MAPS, config_map(a="1"), dryRun="All")
        assert made.code == 201
        assert (await api.send("GET", f"{MAPS}/x")).code == 404
        await apply(api, MAPS, config_map(a="1"))
        changed = await apply(api, MAPS, config_map(a="2"), dryRun="All")
        assert changed["data"] == {"a": "2"}
        assert (await api.send("GET", f"{MAPS}/x"))["data"] == {"a": "1"}

    play(story)


def test_yaml_is_applied_and_names_no_field_twice_when_strict(play):
    async def story(api):
        body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b, a: c}\n"
        parameters = {"fieldManager": "one", "headers": APPLY}
        strict = await api.send("PATCH", f"{MAPS}/x", body, fieldValidation="Strict", **parameters)
        assert strict.code == 400
        assert "error strict decoding YAML" in strict["message"]
        warned = await api.send("PATCH", f"{MAPS}/x", body, **parameters)
        assert warned.code == 201
        assert "duplicate field" in warned.headers["Warning"]

    play(story)


def test_status_is_owned_apart_from_the_rest(play):
    async def story(api):
        await apply(api, DEPLOYMENTS, deployment())
        status = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"replicas": 9},
            "status": {"replicas": 1, "conditions": [{"type": "Available", "status": "True"}]},
        }
        path = f"{DEPLOYMENTS}/web/status"
        made = await api.send("PATCH", path, status, headers=APPLY, fieldManager="one")
        assert made.code == 200
        assert made["spec"]["replicas"] == 1
        owners = entries(made.json)
        assert owners["one", "Apply", "status"]["fieldsV1"] == {
            "f:status": {
                "f:conditions": {'k:{"type":"Available"}': {".": {}, "f:status": {}, "f:type": {}}},
                "f:replicas": {},
            }
        }
        ignored = await apply(api, DEPLOYMENTS, deployment() | {"status": {"replicas": 7}})
        assert ignored["status"]["replicas"] == 1
        assert "f:status" not in entries(ignored.json)["one", "Apply", ""]["fieldsV1"]
        missing = path.replace("web", "missing")
        status["metadata"]["name"] = "missing"
        answer = await api.send("PATCH", missing, status, headers=APPLY, fieldManager="one")
        assert answer.code == 404

    play(story)


def test_clients_may_clear_and_set_the_entries_but_not_by_accident(play):
    async def story(api):
        made = await api.create(MAPS, config_map(a="1"), fieldManager="one")
        without = {**made, "metadata": {**made["metadata"], "managedFields": []}}
        kept = await api.send("PUT", f"{MAPS}/x", without)
        assert entries(kept.json) == entries(made)
        wrong = [{"manager": "evil", "operation": "Rule", "apiVersion": "v1"}]
        ignored = await api.send(
            "PATCH", f"{MAPS}/x", {"metadata": {"managedFields": wrong}}, headers=MERGE
        )
        assert entries(ignored.json) == entries(made)
        migrated = [made["metadata"]["managedFields"][0] | {"operation": "Apply"}]
        patch = [{"op": "replace", "path": "/metadata/managedFields", "value": migrated}]
        answer = await api.send("PATCH", f"{MAPS}/x", patch, headers=JSON_PATCH)
        assert answer["metadata"]["managedFields"] == migrated
        cleared = await api.send(
            "PATCH", f"{MAPS}/x", {"metadata": {"managedFields": [{}]}}, headers=MERGE
        )
        assert "managedFields" not in cleared["metadata"]
        # Whoever applies first then finds everything in one owner's hands.
        conflict = await apply(api, MAPS, config_map(a="2"))
        assert conflict["message"] == (
            'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'
        )

    play(story)


def test_kubectl_goes_from_client_side_to_server_side_apply(play):
    async def story(api):
        body = deployment(2)
        note = json.dumps(body)
        body["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": note}
        await api.create(DEPLOYMENTS, body, fieldManager="kubectl-client-side-apply")
        # What it applied itself is no conflict for kubectl, for others it is.
        assert (await apply(api, DEPLOYMENTS, deployment(4), manager="other")).code == 409
        answer = await apply(api, DEPLOYMENTS, deployment(4), manager="kubectl")
        assert answer.code == 200
        annotations = answer["metadata"]["annotations"]
        noted = json.loads(annotations["kubectl.kubernetes.io/last-applied-configuration"])
        assert noted["spec"]["replicas"] == 4

    play(story)


def test_old_updaters_are_put_together(play):
    async def story(api):
        await api.create(MAPS, config_map(), fieldManager="m0")
        for number in range(1, 15):
            api.now += timedelta(seconds=1)
            patch = {"data": {f"k{number}": "v"}}
            answer = await api.send(
                "PATCH", f"{MAPS}/x", patch, headers=MERGE, fieldManager=f"m{number}"
            )
        names = [it["manager"] for it in answer["metadata"]["managedFields"]]
        assert len(names) == 10
        assert names[0] == "ancient-changes"
        assert names[1:] == [f"m{number}" for number in range(6, 15)]

    play(story)


def test_concurrent_appliers_of_what_isnt_there_all_get_their_fields(play):
    async def story(api):
        answers = await asyncio.gather(
            *(apply(api, MAPS, config_map(**{f"k{it}": "v"}), f"m{it}") for it in range(20))
        )
        assert sorted(answer.code for answer in answers) == [200] * 19 + [201]
        tree = (await api.send("GET", f"{MAPS}/x")).json
        assert set(tree["data"]) == {f"k{number}" for number in range(20)}
        assert len(tree["metadata"]["managedFields"]) == 20

    play(story)


def test_an_apply_into_an_absent_namespace_says_so(play):
    async def story(api):
        path = "/api/v1/namespaces/nowhere/configmaps"
        answer = await apply(api, path, config_map())
        assert answer.code == 404
        assert answer["message"] == 'namespaces "nowhere" not found'

    play(story)
