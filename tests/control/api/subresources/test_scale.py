"""The subresource `scale`: a view of an object, through which its replicas are written."""

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SCALE = f"{DEPLOYMENTS}/web/scale"
APPLY = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}


def deployment(replicas=1):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
            },
        },
    }


def scale(replicas):
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas},
    }


def test_a_scale_shows_and_sets_the_replicas(play):
    async def story(api):
        made = await api.create(DEPLOYMENTS, deployment(), fieldManager="one")
        read = await api.send("GET", SCALE)
        assert read["kind"] == "Scale"
        assert read["spec"] == {"replicas": 1}
        assert read["status"] == {"replicas": 0, "selector": "app=web"}
        assert read["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        put = await api.send("PUT", SCALE, read.json | {"spec": {"replicas": 3}})
        assert (put.code, put["spec"]) == (200, {"replicas": 3})
        stale = await api.send("PUT", SCALE, read.json | {"spec": {"replicas": 4}})
        assert stale.code == 409
        patch = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
        assert (await api.send("PATCH", SCALE, patch, headers=JSON_PATCH)).code == 200
        assert (await api.send("GET", f"{DEPLOYMENTS}/web"))["spec"]["replicas"] == 2
        wrong = await api.send("PATCH", SCALE, {"spec": {"replicas": -1}}, headers=MERGE)
        assert wrong.code == 422
        assert wrong["message"] == (
            'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: '
            "must be greater than or equal to 0"
        )
        other = await api.send("PUT", SCALE, scale(1) | {"metadata": {"name": "other"}})
        assert other.code == 400

    play(story)


def test_whoever_scales_owns_the_replicas_through_the_subresource(play):
    async def story(api):
        await api.create(DEPLOYMENTS, deployment(), fieldManager="one")
        patch = {"spec": {"replicas": 5}}
        await api.send("PATCH", SCALE, patch, headers=MERGE, fieldManager="scaler")
        tree = (await api.send("GET", f"{DEPLOYMENTS}/web")).json
        mine, scaler = tree["metadata"]["managedFields"]
        assert "f:replicas" not in mine["fieldsV1"]["f:spec"]
        assert scaler | {"time": ""} == {
            "manager": "scaler",
            "operation": "Update",
            "apiVersion": "apps/v1",
            "time": "",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
            "subresource": "scale",
        }
        applied = {"headers": APPLY, "fieldManager": "applier"}
        conflict = await api.send("PATCH", SCALE, scale(7), **applied)
        assert conflict.code == 409
        assert conflict["message"] == (
            'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" '
            "using apps/v1: .spec.replicas"
        )
        forced = await api.send("PATCH", SCALE, scale(7), force="true", **applied)
        assert forced["spec"] == {"replicas": 7}
        tree = (await api.send("GET", f"{DEPLOYMENTS}/web")).json
        names = [(it["manager"], it["operation"]) for it in tree["metadata"]["managedFields"]]
        assert names == [("applier", "Apply"), ("one", "Update")]
        # The main resource' applier meets the owner of the subresource.
        main = deployment(1)
        answer = await api.send("PATCH", f"{DEPLOYMENTS}/web", main, **applied)
        assert answer["message"].startswith("Apply failed with 1 conflict: conflict with")
        assert '"applier" with subresource "scale": .spec.replicas' in answer["message"]

    play(story)


def test_a_scale_can_be_tried(play):
    async def story(api):
        await api.create(DEPLOYMENTS, deployment())
        patch = {"spec": {"replicas": 5}}
        tried = await api.send("PATCH", SCALE, patch, headers=MERGE, dryRun="All")
        assert tried["spec"] == {"replicas": 5}
        assert (await api.send("GET", SCALE))["spec"] == {"replicas": 1}

    play(story)


def test_a_scale_as_a_table(play):
    async def story(api):
        await api.create(DEPLOYMENTS, deployment(replicas=3))
        table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        shown = await api.send("GET", SCALE, headers=table)
        columns = [column["name"] for column in shown["columnDefinitions"]]
        assert columns == ["Name", "Desired", "Available", "Age"]
        assert shown["rows"][0]["cells"][:3] == ["web", 3, 0]

    play(story)
