"""The library `kubernetes`: typed and dynamic objects, watches, an informer, a leader, exec.

Each part prints its name when all of it held.
"""

import json
import os
import threading
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.informer import SharedInformer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.stream import stream

NAMESPACE = "with-kubernetes"
SECONDS = 30


def pod(name, command):
    container = client.V1Container(name="main", image="hello:1", command=["sh", "-c", command])
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels={"app": name}),
        spec=client.V1PodSpec(
            containers=[container], restart_policy="Never", termination_grace_period_seconds=0
        ),
    )


def refusal_of(write):
    """The reason in the Status with which a write is refused."""
    try:
        write()
    except ApiException as refusal:
        return json.loads(refusal.body)["reason"]
    return None


def typed(core):
    made = core.create_namespaced_config_map(
        NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="first"), data={"a": "1"})
    )
    stale = client.V1ConfigMap(metadata=made.metadata, data={"a": "3"})
    patched = core.patch_namespaced_config_map("first", NAMESPACE, {"data": {"a": "2"}})
    assert patched.data == {"a": "2"}
    for reason, write in (
        ("Conflict", lambda: core.replace_namespaced_config_map("first", NAMESPACE, stale)),
        ("NotFound", lambda: core.read_namespaced_config_map("none", NAMESPACE)),
    ):
        assert refusal_of(write) == reason
    pages, token = [], None
    for number in range(5):
        core.create_namespaced_config_map(
            NAMESPACE, {"metadata": {"name": f"page-{number}", "labels": {"paged": "yes"}}}
        )
    while token != "":
        page = core.list_namespaced_config_map(
            NAMESPACE, label_selector="paged=yes", limit=2, _continue=token
        )
        pages.append([item.metadata.name for item in page.items])
        token = page.metadata._continue or ""
    assert [len(page) for page in pages] == [2, 2, 1], pages


def watched(core):
    """A pod from its creation to its end, as a watch tells it."""
    core.create_namespaced_pod(NAMESPACE, pod("short", "echo said"))
    phases, watching = [], watch.Watch()
    for event in watching.stream(
        core.list_namespaced_pod,
        NAMESPACE,
        field_selector="metadata.name=short",
        timeout_seconds=SECONDS,
    ):
        phases.append(event["object"].status.phase)
        if phases[-1] == "Succeeded":
            watching.stop()
    assert phases[0] == "Pending", phases
    assert phases[-1] == "Succeeded", phases
    assert core.read_namespaced_pod_log("short", NAMESPACE) == "said\n"
    core.delete_namespaced_pod("short", NAMESPACE)


def informed(core):
    seen, changed = [], threading.Condition()

    def note(kind):
        def handler(item):
            with changed:
                seen.append((kind, item.metadata.name))
                changed.notify_all()

        return handler

    informer = SharedInformer(
        core.list_namespaced_config_map, namespace=NAMESPACE, label_selector="informed"
    )
    for kind in ("ADDED", "MODIFIED", "DELETED"):
        informer.add_event_handler(kind, note(kind))
    informer.start()
    body = {"metadata": {"name": "told", "labels": {"informed": "yes"}}}
    core.create_namespaced_config_map(NAMESPACE, body)
    with changed:
        assert changed.wait_for(lambda: ("ADDED", "told") in seen, SECONDS), seen
    assert [item.metadata.name for item in informer.cache.list()] == ["told"]
    core.patch_namespaced_config_map("told", NAMESPACE, {"data": {"a": "b"}})
    core.delete_namespaced_config_map("told", NAMESPACE)
    with changed:
        assert changed.wait_for(lambda: ("DELETED", "told") in seen, SECONDS), seen
    assert seen == [("ADDED", "told"), ("MODIFIED", "told"), ("DELETED", "told")], seen


def dynamically(core):
    cluster = dynamic.DynamicClient(core.api_client)
    deployments = cluster.resources.get(api_version="apps/v1", kind="Deployment")
    labels = {"app": "dynamic"}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "dynamic"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "main", "image": "hello:1"}],
                },
            },
        },
    }
    applied = deployments.server_side_apply(
        body=manifest, name="dynamic", namespace=NAMESPACE, field_manager="program"
    )
    assert [entry.manager for entry in applied.metadata.managedFields] == ["program"]
    for event in deployments.watch(namespace=NAMESPACE, name="dynamic", timeout=SECONDS):
        if event["object"].status.readyReplicas == 1:
            break
    else:
        raise AssertionError("the deployment is not ready")
    scaled = deployments.scale.patch(
        name="dynamic",
        namespace=NAMESPACE,
        body={"spec": {"replicas": 0}},
        content_type="application/merge-patch+json",
    )
    assert scaled.kind == "Scale"
    deployments.delete(name="dynamic", namespace=NAMESPACE, propagation_policy="Foreground")


def executed(core):
    core.create_namespaced_pod(NAMESPACE, pod("long", "sleep 600"))
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_pod, NAMESPACE, label_selector="app=long", timeout_seconds=SECONDS
    ):
        if event["object"].status.phase == "Running":
            watching.stop()
    output = stream(
        core.connect_get_namespaced_pod_exec,
        "long",
        NAMESPACE,
        command=["sh", "-c", "echo out; echo err >&2; read line; echo $line; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    output.write_stdin("in\n")
    output.run_forever(timeout=SECONDS)
    assert output.read_stdout() == "out\nin\n"
    assert output.read_stderr() == "err\n"
    assert output.returncode == 3
    core.delete_namespaced_pod("long", NAMESPACE, grace_period_seconds=0)


def led():
    """The second candidate does not lead while the first renews its lease."""
    led_by, started = [], threading.Event()

    def candidate(name):
        def lead():
            led_by.append(name)
            started.set()

        lock = LeaseLock("leader", NAMESPACE, name)
        settings = electionconfig.Config(
            lock,
            lease_duration=3,
            renew_deadline=2,
            retry_period=1,
            onstarted_leading=lead,
            onstopped_leading=None,
        )
        election = leaderelection.LeaderElection(settings)
        threading.Thread(target=election.run, daemon=True).start()

    candidate("first")
    assert started.wait(SECONDS)
    candidate("second")
    time.sleep(2)
    lease = client.CoordinationV1Api().read_namespaced_lease("leader", NAMESPACE)
    assert lease.spec.holder_identity == "first", lease.spec
    assert led_by == ["first"], led_by


def main():
    config.load_kube_config()
    core = client.CoreV1Api()
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    for part in (typed, watched, informed, dynamically, executed):
        part(core)
        print(part.__name__, flush=True)
    led()
    print("led", flush=True)
    core.delete_namespace(NAMESPACE)


if __name__ == "__main__":
    main()
    os._exit(0)  # elections can't be ended, and their threads print while the interpreter ends
