"""Create, update, patch and delete, as a client sees them."""

import asyncio
import uuid

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
MERGE = {"content-type": "application/merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}


def config_map(name="x", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_what_is_created_can_be_read_back_at_once(play):
    async def story(api):
        made = await api.create(MAPS, config_map(a="1"))
        read = await api.send("GET", f"{MAPS}/x")
        assert read.json == made
        assert made["metadata"]["uid"]
        assert made["metadata"]["creationTimestamp"] == "2026-11-23T12:00:00Z"
        assert int(made["metadata"]["resourceVersion"]) > 0

    play(story)


def test_a_name_can_be_taken_once(play):
    async def story(api):
        await api.create(MAPS, config_map())
        again = await api.send("POST", MAPS, config_map())
        assert again.code == 409
        assert again["reason"] == "AlreadyExists"
        assert again["message"] == 'configmaps "x" already exists'

    play(story)


def test_generated_names_differ(play):
    async def story(api):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}
        made = await asyncio.gather(*(api.create(MAPS, body) for _ in range(50)))
        names = {it["metadata"]["name"] for it in made}
        assert len(names) == 50
        assert all(name.startswith("x-") for name in names)

    play(story)


def test_an_update_of_an_old_version_is_a_conflict(play):
    async def story(api):
        made = await api.create(MAPS, config_map(a="1"))
        newer = await api.send("PUT", f"{MAPS}/x", made | {"data": {"a": "2"}})
        assert newer.code == 200
        older = await api.send("PUT", f"{MAPS}/x", made | {"data": {"a": "3"}})
        assert older.code == 409
        assert older["reason"] == "Conflict"
        assert "the object has been modified" in older["message"]

    play(story)


def test_an_update_that_changes_nothing_keeps_the_version(play):
    async def story(api):
        made = await api.create(MAPS, config_map(a="1"))
        same = await api.send("PUT", f"{MAPS}/x", made)
        assert same.json == made

    play(story)


def test_metadata_holds_no_empty_collections(play):
    async def story(api):
        body = config_map()
        body["metadata"] |= {"labels": {}, "annotations": {"a": "b"}, "finalizers": []}
        made = await api.create(MAPS, body)
        assert "labels" not in made["metadata"]
        assert "finalizers" not in made["metadata"]
        emptied = {"metadata": {"annotations": {"a": None}}}
        patched = await api.send("PATCH", f"{MAPS}/x", emptied, headers=MERGE)
        assert "annotations" not in patched["metadata"]

    play(story)


def test_concurrent_patches_are_all_applied(play):
    async def story(api):
        await api.create(MAPS, config_map())
        patches = [{"data": {f"k{number}": "v"}} for number in range(20)]
        answers = await asyncio.gather(
            *(api.send("PATCH", f"{MAPS}/x", it, headers=MERGE) for it in patches)
        )
        assert [it.code for it in answers] == [200] * 20
        read = await api.send("GET", f"{MAPS}/x")
        assert len(read["data"]) == 20

    play(story)


def test_a_patch_may_name_the_object_it_means(play):
    async def story(api):
        await api.create(MAPS, config_map())
        other = {"metadata": {"uid": "another"}, "data": {"a": "b"}}
        answer = await api.send("PATCH", f"{MAPS}/x", other, headers=MERGE)
        assert answer.code == 409

    play(story)


def test_each_kind_of_patch(play, pod, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        await api.create(PODS, pod(app="a"))
        path = f"{PODS}/web"
        operations = [{"op": "add", "path": "/metadata/labels/b", "value": "c"}]
        assert (await api.send("PATCH", path, operations, headers=JSON_PATCH)).code == 200
        image = {"spec": {"containers": [{"name": "main", "image": "hello:2"}]}}
        answer = await api.send("PATCH", path, image, headers=STRATEGIC)
        assert answer["metadata"]["labels"] == {"app": "a", "b": "c"}
        assert answer["spec"]["containers"][0]["image"] == "hello:2"
        unsupported = await api.send(
            "PATCH", path, {}, headers={"content-type": "application/apply-patch+cbor"}
        )
        assert unsupported.code == 415
        failed = [{"op": "test", "path": "/metadata/name", "value": "other"}]
        assert (await api.send("PATCH", path, failed, headers=JSON_PATCH)).code == 422

    play(story)


def test_a_dry_run_keeps_nothing(play):
    async def story(api):
        answer = await api.send("POST", MAPS, config_map(), dryRun="All")
        assert answer.code == 201
        assert (await api.send("GET", f"{MAPS}/x")).code == 404
        await api.create(MAPS, config_map(a="1"))
        changed = await api.send(
            "PATCH", f"{MAPS}/x", {"data": {"a": "2"}}, headers=MERGE, dryRun="All"
        )
        assert changed["data"] == {"a": "2"}
        deleted = await api.send("DELETE", f"{MAPS}/x", dryRun="All")
        assert deleted.code == 200
        assert (await api.send("GET", f"{MAPS}/x"))["data"] == {"a": "1"}

    play(story)


def test_status_and_spec_are_written_apart(play):
    async def story(api):
        path = "/api/v1/nodes"
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
        await api.create(path, node)
        status = {"status": {"phase": "Running"}, "spec": {"unschedulable": True}}
        answer = await api.send("PATCH", f"{path}/n/status", status, headers=MERGE)
        assert answer["status"]["phase"] == "Running"
        assert "unschedulable" not in answer["spec"]
        answer = await api.send("PATCH", f"{path}/n", status, headers=MERGE)
        assert answer["spec"]["unschedulable"] is True

    play(story)


def test_a_bound_pod_is_deleted_with_grace(play, pod, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        await api.create(PODS, pod())
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "web"},
            "target": {"kind": "Node", "name": "n"},
        }
        await api.create(f"{PODS}/web/binding", binding)
        twice = await api.send("POST", f"{PODS}/web/binding", binding)
        assert twice.code == 409
        bound = await api.send("GET", f"{PODS}/web")
        assert bound["spec"]["nodeName"] == "n"
        assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
        marked = await api.send("DELETE", f"{PODS}/web")
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
        assert marked["metadata"]["deletionTimestamp"] == "2026-11-23T12:00:30Z"
        assert (await api.send("GET", f"{PODS}/web")).code == 200
        shorter = await api.send("DELETE", f"{PODS}/web", gracePeriodSeconds=5)
        assert shorter["metadata"]["deletionTimestamp"] == "2026-11-23T12:00:05Z"
        gone = await api.send("DELETE", f"{PODS}/web", gracePeriodSeconds=0)
        assert gone.code == 200
        assert (await api.send("GET", f"{PODS}/web")).code == 404

    play(story)


def test_finalizers_keep_an_object_until_the_last_is_gone(play):
    async def story(api):
        body = config_map()
        body["metadata"]["finalizers"] = ["example.com/keep"]
        await api.create(MAPS, body)
        marked = await api.send("DELETE", f"{MAPS}/x")
        assert marked["metadata"]["deletionTimestamp"]
        assert (await api.send("GET", f"{MAPS}/x")).code == 200
        release = {"metadata": {"finalizers": None}}
        assert (await api.send("PATCH", f"{MAPS}/x", release, headers=MERGE)).code == 200
        assert (await api.send("GET", f"{MAPS}/x")).code == 404

    play(story)


def test_propagation_adds_its_finalizer(play):
    async def story(api):
        for policy, finalizer in (("Orphan", "orphan"), ("Foreground", "foregroundDeletion")):
            name = policy.lower()
            await api.create(MAPS, config_map(name))
            answer = await api.send("DELETE", f"{MAPS}/{name}", propagationPolicy=policy)
            assert answer["metadata"]["finalizers"] == [finalizer]

    play(story)


def test_a_deletion_may_name_the_object_it_means(play):
    async def story(api):
        made = await api.create(MAPS, config_map())
        wrong = {"preconditions": {"uid": "another"}}
        assert (await api.send("DELETE", f"{MAPS}/x", wrong)).code == 409
        right = {"preconditions": {"uid": made["metadata"]["uid"]}}
        answer = await api.send("DELETE", f"{MAPS}/x", right)
        assert answer["status"] == "Success"
        assert answer["details"]["uid"] == made["metadata"]["uid"]

    play(story)


def test_a_collection_is_deleted_by_selector(play):
    async def story(api):
        for name, app in (("a", "one"), ("b", "two"), ("c", "one")):
            body = config_map(name)
            body["metadata"]["labels"] = {"app": app}
            await api.create(MAPS, body)
        assert (await api.send("DELETE", MAPS, labelSelector="app=one")).code == 200
        left = await api.send("GET", MAPS)
        assert [it["metadata"]["name"] for it in left["items"]] == ["b"]

    play(story)


def test_a_namespace_that_is_ending_takes_nothing_new(play, pod):
    async def story(api):
        spaces = "/api/v1/namespaces"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
        await api.create(spaces, body)
        await api.create(f"{spaces}/team/serviceaccounts", {"metadata": {"name": "robot"}})
        given = pod()
        given["spec"]["serviceAccountName"] = "robot"
        await api.create(f"{spaces}/team/pods", given)
        assert (await api.send("DELETE", f"{spaces}/team"))["status"]["phase"] == "Terminating"
        ends = "because it is being terminated"
        for path, body, shown in (
            ("configmaps", config_map(), 'configmaps "x"'),
            ("configmaps", {"metadata": {"generateName": "some-"}}, 'configmaps "some-"'),
            ("pods/web/eviction", {"metadata": {"name": "web"}}, 'pods "web"'),
            ("pods/web/binding", {"target": {"name": "node-1"}}, 'pods "web"'),
            ("serviceaccounts/robot/token", {}, 'serviceaccounts "robot"'),
        ):
            answer = await api.send("POST", f"{spaces}/team/{path}", body)
            assert answer.code == 403, answer.json
            explanation = f"unable to create new content in namespace team {ends}"
            assert answer["message"] == f"{shown} is forbidden: {explanation}"
            (cause,) = answer["details"]["causes"]
            assert cause == {
                "reason": "NamespaceTerminating",
                "message": "namespace team is being terminated",
                "field": "metadata.namespace",
            }
        current = (await api.send("GET", f"{spaces}/team")).json
        current["spec"] = {"finalizers": []}
        assert (await api.send("PUT", f"{spaces}/team/finalize", current)).code == 200
        assert (await api.send("GET", f"{spaces}/team")).code == 404
        absent = await api.send("POST", f"{spaces}/team/configmaps", config_map())
        assert absent.code == 404
        assert absent["message"] == 'namespaces "team" not found'
        for name in ("default", "kube-system", "kube-public"):
            refused = await api.send("DELETE", f"{spaces}/{name}")
            assert refused.code == 403
            assert refused["message"] == (
                f'namespaces "{name}" is forbidden: this namespace may not be deleted'
            )

    play(story)


def test_a_namespace_is_labelled_with_its_name(play):
    async def story(api):
        spaces, label = "/api/v1/namespaces", "kubernetes.io/metadata.name"
        made = await api.create(spaces, {"metadata": {"generateName": "team-"}})
        name = made["metadata"]["name"]
        assert made["metadata"]["labels"] == {label: name}
        for labels in ({label: "other"}, {label: None}, None):
            change = {"metadata": {"labels": labels}}
            kept = await api.send("PATCH", f"{spaces}/{name}", change, headers=MERGE)
            assert kept["metadata"]["labels"] == {label: name}

    play(story)


def test_scale_is_one_form_for_all_kinds(play):
    async def story(api):
        path = "/apis/apps/v1/namespaces/default/deployments"
        template = {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
        }
        await api.create(
            path,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "d"},
                "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template},
            },
        )
        scale = await api.send("GET", f"{path}/d/scale")
        assert scale["spec"] == {"replicas": 1}
        assert scale["status"]["selector"] == "app=a"
        answer = await api.send(
            "PATCH", f"{path}/d/scale", {"spec": {"replicas": 4}}, headers=MERGE
        )
        assert answer["spec"]["replicas"] == 4
        deployment = await api.send("GET", f"{path}/d")
        assert deployment["spec"]["replicas"] == 4
        assert deployment["metadata"]["generation"] == 2

    play(story)


def test_a_patch_that_is_applied_again_begins_anew(play):
    async def story(api):
        ports, named = [{"port": 80}], [{"port": 80, "name": "http"}]
        service = {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": ports}}
        made = await api.create(SERVICES, service)
        assert made["spec"]["ports"][0]["nodePort"]
        _, answer = await asyncio.gather(
            api.send("PATCH", f"{SERVICES}/s", {"spec": {"type": "ClusterIP"}}, headers=MERGE),
            api.send("PATCH", f"{SERVICES}/s", {"spec": {"ports": named}}, headers=MERGE),
        )
        assert answer.code == 200
        assert "nodePort" not in answer["spec"]["ports"][0]

    play(story)


def test_uids_are_uuids_of_version_4(play):
    async def story(api):
        for number in range(20):
            made = await api.create(MAPS, config_map(f"x{number}"))
            uid = uuid.UUID(made["metadata"]["uid"])
            assert (uid.version, uid.variant) == (4, uuid.RFC_4122)
            assert str(uid) == made["metadata"]["uid"]

    play(story)


def test_what_is_created_names_no_version(play):
    async def story(api):
        body = config_map()
        body["metadata"]["resourceVersion"] = "7"
        answer = await api.send("POST", MAPS, body)
        assert answer.code == 400
        assert answer["message"] == "resourceVersion should not be set on objects to be created"

    play(story)


def test_owners_are_kept_once(play):
    async def story(api):
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u-1"}
        body = config_map()
        body["metadata"]["ownerReferences"] = [owner, dict(owner)]
        answer = await api.send("POST", MAPS, body)
        assert answer["metadata"]["ownerReferences"] == [owner]
        assert "contains duplicate entries" in answer.headers["Warning"]

    play(story)
