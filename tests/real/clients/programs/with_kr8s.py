"""The library `kr8s`: objects that refresh, wait, scale, tell logs and run commands."""

import kr8s
from kr8s.objects import ConfigMap, Deployment, Namespace, Pod, new_class

NAMESPACE = "with-kr8s"
LABELS = {"app": "web"}


def objects():
    made = ConfigMap({"metadata": {"name": "first", "namespace": NAMESPACE}, "data": {"a": "1"}})
    made.create()
    made.patch({"data": {"a": "2"}})
    made.label({"x": "y"})
    made.annotate({"x": "y"})
    (found,) = kr8s.get("configmaps", namespace=NAMESPACE, label_selector={"x": "y"})
    assert found.data.a == "2"
    made.delete()
    made.wait("delete", timeout=10)
    assert not made.exists()


def workloads():
    container = {"name": "main", "image": "hello:1", "ports": [{"containerPort": 8080}]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    deployment = Deployment(
        {
            "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": spec},
            },
        }
    )
    deployment.create()
    deployment.wait("condition=Available", timeout=30)
    deployment.scale(2)
    deployment.wait("jsonpath='{.status.readyReplicas}'=2", timeout=30)
    pods = deployment.pods()
    assert len(pods) == 2, pods
    assert pods[0].ready()
    ran = pods[0].exec(["sh", "-c", "echo said; exit 3"], check=False)
    assert (ran.returncode, ran.stdout) == (3, b"said\n"), ran
    deployment.delete(propagation_policy="Foreground")


def logs():
    spec = {
        "restartPolicy": "Never",
        "containers": [
            {"name": "main", "image": "hello:1", "command": ["sh", "-c", "echo one; echo two"]}
        ],
    }
    pod = Pod({"metadata": {"name": "talks", "namespace": NAMESPACE}, "spec": spec})
    pod.create()
    pod.wait("jsonpath='{.status.phase}'=Succeeded", timeout=30)
    assert list(pod.logs()) == ["one", "two"]


def discovery():
    leases = new_class("Lease", "coordination.k8s.io/v1", namespaced=True)
    assert [lease.name for lease in leases.list(namespace="kube-node-lease")] == ["node-1"]
    kinds = {resource["kind"] for resource in kr8s.api_resources()}
    assert {"Pod", "CustomResourceDefinition", "EndpointSlice"} <= kinds, kinds
    assert kr8s.whoami() == "kubernetes-admin"
    assert kr8s.version()["gitVersion"].startswith("v1.37.")


def main():
    namespace = Namespace(NAMESPACE)
    namespace.create()
    for part in (objects, workloads, logs, discovery):
        part()
        print(part.__name__, flush=True)
    namespace.delete()


if __name__ == "__main__":
    main()
