"""What is wrong is refused with the right words, and nothing of it is stored."""

import json
from typing import Any

import pytest
from tests.real.harness import Cluster

pytestmark = pytest.mark.real

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


class Api:
    """Plain requests by curl, with the administrator's certificate or a token."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._server = f"https://{cluster.instance.loopback_address}:6443"
        self._pki = cluster.instance.configuration_folder / "pki"

    def post(
        self, path: str, body: str, *, kind: str = "application/json", token: str = ""
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers (names in lower case) and the decoded body."""
        file = self._cluster.folder / "body"
        file.write_text(body)
        return self._ask(
            path, token, "-X", "POST", "-H", f"Content-Type: {kind}", "--data-binary", f"@{file}"
        )

    def get(self, path: str, token: str = "") -> tuple[int, dict[str, str], Any]:
        return self._ask(path, token)

    def _ask(self, path: str, token: str, *arguments: str) -> tuple[int, dict[str, str], Any]:
        identity = (
            ["-H", f"Authorization: Bearer {token}"]
            if token
            else [
                "--cert",
                f"{self._pki}/administrator.crt",
                "--key",
                f"{self._pki}/administrator.key",
            ]
        )
        answer = self._cluster.run(
            "curl",
            "-sS",
            "-i",
            "--http1.1",
            "-H",
            "Expect:",
            "--max-time",
            "20",
            "--cacert",
            f"{self._pki}/ca.crt",
            *identity,
            *arguments,
            self._server + path,
        )
        head, _, body = answer.stdout.partition("\n\n")
        status, *lines = head.splitlines()
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        return int(status.split()[1]), headers, json.loads(body) if body else None


@pytest.fixture
def api(cluster: Cluster) -> Api:
    return Api(cluster)


def config_map(name: str, **more: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more})


def pod(name: str | None, **container: Any) -> str:
    containers = [{"name": "main", "image": "hello:1", **container}]
    metadata = {"name": name} if name else {}
    spec = {"containers": containers}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def test_an_unknown_field_is_refused_when_strict(api: Api) -> None:
    status, _, body = api.post(f"{CONFIG_MAPS}?fieldValidation=Strict", config_map("bad", color=1))
    assert status == 400
    assert 'unknown field "color"' in body["message"]
    assert api.get(f"{CONFIG_MAPS}/bad")[0] == 404


def test_an_unknown_field_is_pruned_with_a_warning_otherwise(api: Api, cluster: Cluster) -> None:
    path = f"{CONFIG_MAPS}?fieldValidation=Warn"
    status, headers, body = api.post(path, config_map("pruned", color=1))
    cluster.kubectl("delete", "configmap", "pruned")
    assert status == 201
    assert "color" not in body
    assert 'unknown field \\"color\\"' in headers["warning"]


def test_a_wrong_type_is_refused(api: Api) -> None:
    status, _, body = api.post(CONFIG_MAPS, config_map("bad", data=[1]))
    assert (status, body["reason"]) == (400, "BadRequest")
    assert api.get(f"{CONFIG_MAPS}/bad")[0] == 404


def test_a_missing_name_is_told(api: Api) -> None:
    status, _, body = api.post(PODS, pod(None))
    assert (status, body["reason"]) == (422, "Invalid")
    assert body["details"]["causes"][0]["field"] == "metadata.name"


def test_a_bad_quantity_is_told(api: Api) -> None:
    resources = {"requests": {"memory": "1 cup"}}
    status, _, body = api.post(PODS, pod("bad", resources=resources))
    assert (status, body["reason"]) == (422, "Invalid")
    assert "resources.requests" in body["details"]["causes"][0]["field"]
    assert api.get(f"{PODS}/bad")[0] == 404


def test_five_megabytes_are_too_much(api: Api) -> None:
    status, _, _ = api.post(CONFIG_MAPS, config_map("big", data={"x": "x" * 5_000_000}))
    assert status == 413
    assert api.get(f"{CONFIG_MAPS}/big")[0] == 404


def test_a_yaml_bomb_is_refused_in_bounded_memory(api: Api, cluster: Cluster) -> None:
    levels = ['a0: &a0 ["x","x","x","x","x","x","x","x","x"]']
    levels += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n" + "\n".join(levels)
    before = server_memory(cluster)
    status, _, body = api.post(CONFIG_MAPS, bomb, kind="application/yaml")
    assert status == 400, body
    assert server_memory(cluster) - before < 50_000_000


def server_memory(cluster: Cluster) -> int:
    found = json.loads(cluster.sampan("status", "-o", "json").stdout)["processes"]
    (process,) = (item["process"] for item in found if item["role"] == "server")
    with open(f"/proc/{process}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_ten_thousand_levels_are_refused(api: Api) -> None:
    status, _, _ = api.post(CONFIG_MAPS, '{"data":' * 10_000 + "1" + "}" * 10_000)
    assert status == 400


def test_an_unknown_token_is_nobody(api: Api) -> None:
    status, _, body = api.get("/api/v1/nodes", token="made-up")
    assert (status, body["reason"]) == (401, "Unauthorized")


def test_nobody_is_nobody(cluster: Cluster) -> None:
    server = f"https://{cluster.instance.loopback_address}:6443/api/v1/nodes"
    answer = cluster.run("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", server)
    assert answer.stdout == "401"


def test_a_workloads_token_reads_no_secrets_elsewhere(api: Api, cluster: Cluster) -> None:
    token = cluster.kubectl("create", "token", "default").stdout.strip()
    status, _, body = api.get("/api/v1/namespaces/kube-system/secrets", token=token)
    assert (status, body["reason"]) == (403, "Forbidden")
    assert "system:serviceaccount:default:default" in body["message"]


def test_the_node_answers_no_stranger(cluster: Cluster) -> None:
    address = cluster.instance.node_address(1)
    answer = cluster.run("curl", "-sk", "-m", "5", f"https://{address}:10250/pods")
    assert "items" not in answer.stdout
