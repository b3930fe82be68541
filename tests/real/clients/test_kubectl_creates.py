"""Every `kubectl create X`, tried on the server and kept there; and the forms of replace and
delete."""

from pathlib import Path

import pytest
from tests.real.clients.kubectl import Kubectl

pytestmark = pytest.mark.real

NAMESPACED = {
    "configmap": "configmap/it --from-literal=a=b",
    "cronjob": "cronjob.batch/it --image=hello:1 --schedule=*/5_*_*_*_* -- true",
    "deployment": "deployment.apps/it --image=hello:1 --replicas=0 --port=80",
    "ingress": "ingress.networking.k8s.io/it --rule=a.example/*=web:80,tls=secret",
    "job": "job.batch/it --image=hello:1 -- true",
    "poddisruptionbudget": "poddisruptionbudget.policy/it --selector=a=b --min-available=50%",
    "quota": "resourcequota/it --hard=pods=3 --scopes=BestEffort",
    "role": "role.rbac.authorization.k8s.io/it --verb=get,list --resource=pods,deployments.apps",
    "rolebinding": "rolebinding.rbac.authorization.k8s.io/it --clusterrole=view --user=u",
    "secret generic": "secret/it --from-literal=a=b",
    "secret docker-registry": "secret/it --docker-username=u --docker-password=p",
    "service clusterip": "service/it --tcp=80:8080",
    "service externalname": "service/it --external-name=a.example",
    "service loadbalancer": "service/it --tcp=80",
    "service nodeport": "service/it --tcp=80",
    "serviceaccount": "serviceaccount/it",
}
CLUSTER_WIDE = {
    "clusterrole": "clusterrole.rbac.authorization.k8s.io/NAME --verb=get --resource=nodes",
    "clusterrolebinding": (
        "clusterrolebinding.rbac.authorization.k8s.io/NAME --clusterrole=view --group=g"
    ),
    "namespace": "namespace/NAME",
    "priorityclass": "priorityclass.scheduling.k8s.io/NAME --value=10",
}


def create(kubectl: Kubectl, kind: str, told: str, *more: str) -> tuple[str, str]:
    """What the command says, and the name by which it says so."""
    full_name, *options = told.split()
    name = full_name.partition("/")[2]
    given = [option.replace("_", " ") for option in options]
    command = given.index("--") if "--" in given else len(given)
    arguments = (*given[:command], *more, *given[command:])
    return kubectl("create", *kind.split(), name, *arguments), full_name


@pytest.mark.parametrize("kind", NAMESPACED)
def test_create(kubectl: Kubectl, kind: str) -> None:
    said, name = create(kubectl, kind, NAMESPACED[kind], "--dry-run=server")
    assert said == f"{name} created (server dry run)\n"
    assert "not found" in kubectl("get", name, fails=True)
    said, _ = create(kubectl, kind, NAMESPACED[kind])
    assert said == f"{name} created\n"
    assert kubectl("get", name, "-o", "name") == f"{name}\n"


@pytest.mark.parametrize("kind", CLUSTER_WIDE)
def test_create_for_the_whole_cluster(kubectl: Kubectl, kind: str) -> None:
    told = CLUSTER_WIDE[kind].replace("NAME", f"{kubectl.namespace}-it")
    said, name = create(kubectl, kind, told, "--dry-run=server")
    assert said == f"{name} created (server dry run)\n"
    said, _ = create(kubectl, kind, told)
    assert said == f"{name} created\n"
    assert name.partition("/")[2] in kubectl("delete", name)


def test_what_is_there_is_not_created_again(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "it")
    said = kubectl("create", "configmap", "it", fails=True)
    assert 'configmaps "it" already exists' in said
    said = kubectl("create", "quota", "it", "--hard=pods=none", fails=True)
    assert "quantities must match the regular expression" in said
    said = kubectl("create", "deployment", "It", "--image=hello:1", fails=True)
    assert 'The Deployment "It" is invalid' in said or '"It" is invalid' in said
    assert "a lowercase RFC 1123 subdomain must consist of" in said


def test_replace(kubectl: Kubectl, tmp_path: Path) -> None:
    file = tmp_path / "it.yaml"
    file.write_text(kubectl("create", "configmap", "it", "--from-literal=a=b", "-o", "yaml"))
    version = kubectl.show("configmap/it")["metadata"]["resourceVersion"]
    changed = file.read_text().replace("a: b", "a: c")
    assert kubectl("replace", "-f", "-", text=changed) == "configmap/it replaced\n"
    assert kubectl.show("configmap/it")["data"] == {"a": "c"}
    said = kubectl("replace", "-f", str(file), fails=True)
    assert "the object has been modified; please apply your changes to the latest version" in said
    said = kubectl("replace", "--force", "-f", "-", text=changed)
    assert said.endswith("configmap/it replaced\n")
    found = kubectl.show("configmap/it")["metadata"]
    assert int(found["resourceVersion"]) > int(version)


def test_delete_in_all_its_forms(kubectl: Kubectl) -> None:
    for number in range(6):
        kubectl("create", "configmap", f"it-{number}")
        kubectl("label", "configmap", f"it-{number}", "try=yes", f"number={number}")
    said = kubectl("delete", "configmap", "it-0", "--dry-run=server")
    assert said.startswith('configmap "it-0" deleted')
    said = kubectl("delete", "configmap/it-0", "configmap/it-1", "-o", "name")
    assert said == "configmap/it-0\nconfigmap/it-1\n"
    assert kubectl("delete", "configmap", "-l", "number in (2,3)").count("deleted") == 2
    said = kubectl("delete", "configmap", "it-0", fails=True)
    assert said == 'Error from server (NotFound): configmaps "it-0" not found\n'
    assert kubectl("delete", "configmap", "it-0", "--ignore-not-found") == ""
    assert "it-4" in kubectl("delete", "configmap", "--field-selector=metadata.name=it-4")
    path = f"/api/v1/namespaces/{kubectl.namespace}/configmaps/it-5"
    assert '"status":"Success"' in kubectl("delete", "--raw", path)
    kubectl("create", "secret", "generic", "it")
    assert "it" in kubectl("delete", "secrets", "--all")
    assert kubectl.show("secrets")["items"] == []


def test_an_owner_leaves_its_own_or_takes_them_along(kubectl: Kubectl) -> None:
    for name in ("left", "taken"):
        kubectl("create", "deployment", name, "--image=hello:1", "--replicas=0")
        path = "jsonpath={.status.observedGeneration}"
        kubectl("wait", f"deployment/{name}", f"--for={path}=1", "--timeout=20s")
    kubectl("delete", "deployment", "left", "--cascade=orphan")
    kubectl("delete", "deployment", "taken", "--cascade=foreground")
    (stays,) = kubectl.show("replicasets")["items"]
    assert stays["metadata"]["labels"]["app"] == "left"
    assert "ownerReferences" not in stays["metadata"]
