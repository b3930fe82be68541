"""Writes as kubectl makes them: apply on either side, diff, edit, and patches of each type."""

import json
from pathlib import Path

import pytest
from tests.real.api.served import Kubectl, play

pytestmark = pytest.mark.real

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: hello:1
          ports: [{containerPort: 80}]
          env: [{name: A, value: "1"}]
"""
SCALED = DEPLOYMENT.replace("replicas: 1", "replicas: 3")
SERVER_SIDE = ("apply", "--server-side", "-f", "-")
VERSIONS = pytest.mark.parametrize("minor", [37, 32])


async def managers(kubectl: Kubectl) -> list[tuple[str, str]]:
    text = await kubectl("get", "deployment/web", "-o", "json", "--show-managed-fields")
    entries = json.loads(text)["metadata"]["managedFields"]
    # The controllers write too, whenever they come to it.
    return [(it["manager"], it["operation"]) for it in entries if it["manager"].startswith("k")]


@VERSIONS
def test_apply_on_the_server_meets_conflicts_and_force(tmp_path: Path, minor: int) -> None:
    async def story(kubectl: Kubectl) -> None:
        said = await kubectl(*SERVER_SIDE, text=DEPLOYMENT, minor=minor)
        assert said == "deployment.apps/web serverside-applied\n"
        await kubectl("scale", "deployment/web", "--replicas=2", minor=minor)
        said = await kubectl(*SERVER_SIDE, text=SCALED, minor=minor)
        assert said.startswith("error: ")
        assert (
            f'Apply failed with 1 conflict: conflict with "kubectl-1.{minor}" with subresource '
            '"scale" using apps/v1: .spec.replicas'
        ) in said
        said = await kubectl(*SERVER_SIDE, "--force-conflicts", text=SCALED, minor=minor)
        assert said == "deployment.apps/web serverside-applied\n"
        shown = await kubectl("get", "deployment/web", "-o", "jsonpath={.spec.replicas}")
        assert shown == "3"
        other = await kubectl(*SERVER_SIDE, "--field-manager=other", text=DEPLOYMENT, minor=minor)
        assert 'conflict with "kubectl": .spec.replicas' in other
        again = await kubectl(*SERVER_SIDE, "--dry-run=server", text=SCALED, minor=minor)
        assert again == "deployment.apps/web serverside-applied (server dry run)\n"
        assert await managers(kubectl) == [("kubectl", "Apply")]

    play(tmp_path, story)


@VERSIONS
def test_apply_goes_from_the_client_to_the_server(tmp_path: Path, minor: int) -> None:
    async def story(kubectl: Kubectl) -> None:
        said = await kubectl("apply", "-f", "-", text=DEPLOYMENT, minor=minor)
        assert said == "deployment.apps/web created\n"
        assert await managers(kubectl) == [("kubectl-client-side-apply", "Update")]
        said = await kubectl("apply", "-f", "-", text=DEPLOYMENT, minor=minor)
        assert said == "deployment.apps/web unchanged\n"
        said = await kubectl(*SERVER_SIDE, text=SCALED, minor=minor)
        assert said == "deployment.apps/web serverside-applied\n"
        assert ("kubectl", "Apply") in await managers(kubectl)
        without_port = SCALED.replace("          ports: [{containerPort: 80}]\n", "")
        await kubectl(*SERVER_SIDE, text=without_port, minor=minor)
        path = "jsonpath={.spec.template.spec.containers[0].ports}"
        assert await kubectl("get", "deployment/web", "-o", path) == ""
        note = await kubectl("apply", "view-last-applied", "deployment/web", minor=minor)
        assert "containerPort" not in note
        back = await kubectl("apply", "-f", "-", text=DEPLOYMENT, minor=minor)
        assert back == "deployment.apps/web configured\n"

    play(tmp_path, story)


@VERSIONS
def test_diff_shows_what_an_apply_would_change(tmp_path: Path, minor: int) -> None:
    async def story(kubectl: Kubectl) -> None:
        await kubectl("apply", "-f", "-", text=DEPLOYMENT, minor=minor)
        assert await kubectl("diff", "-f", "-", text=DEPLOYMENT, minor=minor) == ""
        said = await kubectl("diff", "-f", "-", text=SCALED, minor=minor)
        assert "-  replicas: 1\n+  replicas: 3" in said
        said = await kubectl(
            "diff", "--server-side", "--force-conflicts", "-f", "-", text=SCALED, minor=minor
        )
        assert "-  replicas: 1\n+  replicas: 3" in said

    play(tmp_path, story)


@VERSIONS
def test_edit_and_patches_of_each_type(tmp_path: Path, minor: int) -> None:
    async def story(kubectl: Kubectl) -> None:
        await kubectl("create", "-f", "-", text=DEPLOYMENT, minor=minor)
        editor = "sed -i s/hello:1/hello:2/"
        said = await kubectl("edit", "deployment/web", minor=minor, KUBE_EDITOR=editor)
        assert said == "deployment.apps/web edited\n"
        strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"i:1"}]}}}}'
        await kubectl("patch", "deployment/web", "-p", strategic, minor=minor)
        merge = '{"metadata":{"annotations":{"a":"b"},"labels":null}}'
        await kubectl("patch", "deployment/web", "--type=merge", "-p", merge, minor=minor)
        operations = '[{"op":"replace","path":"/spec/replicas","value":4}]'
        await kubectl("patch", "deployment/web", "--type=json", "-p", operations, minor=minor)
        wrong = '[{"op":"test","path":"/spec/replicas","value":9}]'
        said = await kubectl("patch", "deployment/web", "--type=json", "-p", wrong, minor=minor)
        assert "the server rejected our request due to an error in our request" in said
        tree = json.loads(await kubectl("get", "deployment/web", "-o", "json"))
        containers = tree["spec"]["template"]["spec"]["containers"]
        assert {it["name"]: it["image"] for it in containers} == {"main": "hello:2", "side": "i:1"}
        assert tree["spec"]["replicas"] == 4
        assert tree["metadata"]["annotations"]["a"] == "b"
        assert "labels" not in tree["metadata"]
        status = ("patch", "deployment/web", "--subresource=status", "--type=merge", "-p")
        said = await kubectl(*status, '{"status":{"observedGeneration":7}}', minor=minor)
        assert said == "deployment.apps/web patched\n"

    play(tmp_path, story)


@VERSIONS
def test_what_is_only_tried_is_not_kept(tmp_path: Path, minor: int) -> None:
    async def story(kubectl: Kubectl) -> None:
        said = await kubectl("create", "-f", "-", "--dry-run=server", text=DEPLOYMENT, minor=minor)
        assert said == "deployment.apps/web created (server dry run)\n"
        assert "not found" in await kubectl("get", "deployment/web")
        misspelt = DEPLOYMENT.replace("replicas", "replica")
        said = await kubectl("apply", "-f", "-", text=misspelt, minor=minor)
        assert 'unknown field "spec.replica"' in said
        said = await kubectl(*SERVER_SIDE, text=misspelt, minor=minor)
        assert ".spec.replica: field not declared in schema" in said
        said = await kubectl("replace", "-f", "-", text=DEPLOYMENT, minor=minor)
        assert 'deployments.apps "web" not found' in said
        await kubectl("create", "-f", "-", text=DEPLOYMENT, minor=minor)
        said = await kubectl("delete", "deployment/web", "--dry-run=server", minor=minor)
        assert "server dry run" in said
        said = await kubectl("delete", "deployment/web", "--cascade=foreground", minor=minor)
        assert 'deployment.apps "web" deleted' in said
        assert "not found" in await kubectl("get", "deployment/web")

    play(tmp_path, story)
