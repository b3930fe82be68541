"""Pods against the Pod Security Standards, and namespaces that ask for one."""

from typing import Any

import pytest
from tests.control.api.conftest import Api

from sampan.control.api.admission.pod_security.levels import Standard
from sampan.control.api.admission.pod_security.plugin import violations

BASELINE, RESTRICTED = Standard("baseline"), Standard("restricted")
HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
NAMESPACES = "/api/v1/namespaces"


def spec(context: Any = None, *, container: Any = None, **pod: Any) -> Any:
    main = {"name": "a", "image": "hello:1", "securityContext": context or {}, **(container or {})}
    return {"containers": [main], **pod}


@pytest.mark.parametrize(
    ("given", "violation"),
    [
        (spec(), ""),
        (spec(hostNetwork=True, hostPID=True), "host namespaces (hostNetwork=true, hostPID=true)"),
        (
            spec({"privileged": True}),
            'privileged (container "a" must not set securityContext.privileged=true)',
        ),
        (
            spec({"capabilities": {"add": ["SYS_ADMIN", "CHOWN", "NET_RAW"]}}),
            'non-default capabilities (container "a" must not include "NET_RAW", "SYS_ADMIN" in '
            "securityContext.capabilities.add)",
        ),
        (spec(volumes=[{"name": "v", "hostPath": {}}]), 'hostPath volumes (volume "v")'),
        (
            spec(container={"ports": [{"containerPort": 80, "hostPort": 8080}]}),
            'hostPort (container "a" uses hostPort 8080)',
        ),
        (
            spec({"appArmorProfile": {"type": "Unconfined"}}),
            'forbidden AppArmor profile ("Unconfined")',
        ),
        (
            spec({"seLinuxOptions": {"type": "spc_t", "user": "root"}}),
            'seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: '
            'type "spc_t"; user may not be set)',
        ),
        (spec({"seLinuxOptions": {"type": "container_t"}}), ""),
        (
            spec({"procMount": "Unmasked"}),
            'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
        ),
        (spec({"procMount": "Unmasked"}, hostUsers=False), ""),
        (
            spec(securityContext={"seccompProfile": {"type": "Unconfined"}}),
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            spec(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (spec(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}), ""),
        (
            spec(securityContext={"windowsOptions": {"hostProcess": True}}),
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            spec(container={"livenessProbe": {"httpGet": {"host": "10.0.0.1"}}}),
            'probe or lifecycle host (container "a" must not set a host in probes or lifecycle '
            "hooks)",
        ),
    ],
)
def test_baseline(given: Any, violation: str) -> None:
    assert violations(BASELINE, {}, given) == violation


@pytest.mark.parametrize(
    ("given", "violation"),
    [
        (spec(HARDENED), ""),
        (
            spec({**HARDENED, "allowPrivilegeEscalation": None}),
            'allowPrivilegeEscalation != false (container "a" must set '
            "securityContext.allowPrivilegeEscalation=false)",
        ),
        (
            spec({**HARDENED, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}),
            "",
        ),
        (
            spec({**HARDENED, "capabilities": {"add": ["CHOWN"]}}),
            'unrestricted capabilities (container "a" must set '
            'securityContext.capabilities.drop=["ALL"]; container "a" must not include "CHOWN" '
            "in securityContext.capabilities.add)",
        ),
        (
            spec({**HARDENED, "runAsNonRoot": None}),
            'runAsNonRoot != true (pod or container "a" must set '
            "securityContext.runAsNonRoot=true)",
        ),
        (spec({**HARDENED, "runAsNonRoot": None}, securityContext={"runAsNonRoot": True}), ""),
        (
            spec({**HARDENED, "runAsUser": 0}),
            'runAsUser=0 (container "a" must not set runAsUser=0)',
        ),
        (spec({**HARDENED, "runAsUser": 0}, hostUsers=False), ""),
        (
            spec({**HARDENED, "seccompProfile": None}),
            'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type '
            'to "RuntimeDefault" or "Localhost")',
        ),
        (
            spec(HARDENED, volumes=[{"name": "v", "nfs": {}}, {"name": "w", "secret": {}}]),
            'restricted volume types (volume "v" uses restricted volume type "nfs")',
        ),
    ],
)
def test_restricted(given: Any, violation: str) -> None:
    assert violations(RESTRICTED, {}, given) == violation


def test_every_kind_of_container_is_looked_at() -> None:
    given = spec(HARDENED)
    for kind in ("initContainers", "ephemeralContainers"):
        bad = {**given, kind: [{"name": "b", "securityContext": {"privileged": True}}]}
        assert 'privileged (container "b"' in violations(BASELINE, {}, bad)


def test_older_versions_ask_for_less() -> None:
    keepalive = {"sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "1"}]}
    given = spec(securityContext=keepalive)
    assert violations(Standard("baseline", 28), {}, given) != ""
    assert violations(Standard("baseline", 29), {}, given) == ""
    probe = spec(container={"livenessProbe": {"httpGet": {"host": "10.0.0.1"}}})
    assert violations(Standard("baseline", 33), {}, probe) == ""


async def namespace(api: Api, **labels: str) -> None:
    given = {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}
    await api.create(NAMESPACES, {"metadata": {"name": "shop", "labels": given}})
    await api.create(f"{NAMESPACES}/shop/serviceaccounts", {"metadata": {"name": "default"}})


def test_a_pod_is_refused_by_what_its_namespace_enforces(play: Any) -> None:
    async def story(api: Api) -> None:
        await namespace(api, enforce="restricted")
        pod = {"metadata": {"name": "p"}, "spec": spec({**HARDENED, "runAsNonRoot": False})}
        answer = await api.send("POST", f"{NAMESPACES}/shop/pods", pod)
        assert answer.code == 403
        assert answer["message"] == (
            'pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != '
            'true (container "a" must not set securityContext.runAsNonRoot=false)'
        )
        pod["spec"] = spec(HARDENED)
        assert (await api.send("POST", f"{NAMESPACES}/shop/pods", pod)).code == 201

    play(story)


def test_templates_are_warned_of_and_not_refused(play: Any) -> None:
    async def story(api: Api) -> None:
        await namespace(api, enforce="restricted", warn="baseline")
        template = {"metadata": {"labels": {"a": "b"}}, "spec": spec(hostNetwork=True)}
        body = {
            "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }
        path = "/apis/apps/v1/namespaces/shop/deployments"
        answer = await api.send("POST", path, body)
        assert answer.code == 201
        assert "would violate PodSecurity" in answer.headers["Warning"]
        assert "host namespaces (hostNetwork=true)" in answer.headers["Warning"]

    play(story)


def test_raising_the_standard_tells_of_the_pods_that_would_not_do(play: Any) -> None:
    async def story(api: Api) -> None:
        await namespace(api)
        for name in ("p", "q"):
            pod = {"metadata": {"name": name}, "spec": spec(hostNetwork=True)}
            await api.create(f"{NAMESPACES}/shop/pods", pod)
        labels = {"pod-security.kubernetes.io/enforce": "baseline"}
        merge = {"content-type": "application/merge-patch+json"}
        body = {"metadata": {"labels": labels}}
        answer = await api.send("PATCH", f"{NAMESPACES}/shop", body, headers=merge)
        assert answer.code == 200
        told = answer.headers["Warning"].replace("\\", "")
        assert 'existing pods in namespace "shop" violate the new PodSecurity enforce' in told
        assert "p (and 1 other pod): host namespaces (hostNetwork=true)" in told

    play(story)


@pytest.mark.parametrize(
    ("key", "value"), [("enforce", "strict"), ("warn-version", "1.30"), ("audit", "")]
)
def test_labels_that_say_nothing_are_refused(play: Any, key: str, value: str) -> None:
    async def story(api: Api) -> None:
        labels = {f"pod-security.kubernetes.io/{key}": value}
        body = {"metadata": {"name": "shop", "labels": labels}}
        answer = await api.send("POST", NAMESPACES, body)
        assert (answer.code, answer["reason"]) == (422, "Invalid")

    play(story)
