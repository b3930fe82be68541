"""Pods whose spec has come before become what they would have become without any memory of it."""

import json
from copy import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.control.api.writing import templates
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.machinery import familiar
from sampan.store.memory import MemoryStore

PODS = "/api/v1/namespaces/default/pods"
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
LIMITS = "/api/v1/namespaces/default/limitranges"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
POLICIES = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"
MERGE = {"content-type": "application/merge-patch+json"}
NODE = Identity(name="system:node:node-1", groups=("system:nodes", "system:authenticated"))
SPEC = {"containers": [{"name": "main", "image": "hello:1"}]}


def body(name: str, spec: Any, metadata: Any = None) -> Any:
    given = {"name": name, "labels": {"app": name}, **(metadata or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": given, "spec": spec}


def never_seen(name: str, spec: Any, spaces: int, metadata: Any = None) -> bytes:
    """The same as bytes that no other body has."""
    text = json.dumps(body(name, spec, metadata))
    return text.replace('"spec": {', '"spec": {' + " " * spaces, 1).encode()


def essence(answer: Any, name: str) -> Any:
    """An answer without what is different in any two of them."""
    text = json.dumps(answer.json)
    tree = json.loads(text.replace(name, "NAME"))
    for field in ("uid", "resourceVersion", "name"):
        (tree.get("metadata") or {}).pop(field, None)
    return answer.code, answer.headers.get("Warning"), tree


class Comparing:
    """Sends a spec until it is remembered, and once more in bytes that are not."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._count = 1

    async def both(self, spec: Any, metadata: Any = None, **parameters: Any) -> Any:
        """What a remembered spec comes to; it is the same as one that isn't."""
        for _ in range(3):
            self._count += 1
            name = f"pod-{self._count}"
            last = await self._api.send("POST", PODS, body(name, spec, metadata), **parameters)
        other = f"other-{self._count}"
        raw = never_seen(other, spec, self._count, metadata)
        plain = await self._api.send("POST", PODS, raw, **parameters)
        assert essence(last, name) == essence(plain, other)
        return last


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each template that is made, None for a spec that can't be one."""
    made: list[Any] = []
    real = templates.template_of

    def noting(*arguments: Any) -> Any:
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(templates, "template_of", noting)
    return made


def test_a_template_is_made_once_and_gives_the_same_pods(play, account, remembered):
    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        comparing = Comparing(api)
        first = await comparing.both(SPEC)
        assert first.code == 201
        assert first["spec"]["volumes"]
        assert first["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
        assert first["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
        annotated = {"annotations": {"a": "b"}, "finalizers": ["example.org/x"]}
        await comparing.both(SPEC, annotated)
        await comparing.both(SPEC, dryRun="All")
        await comparing.both(SPEC, fieldManager="somebody", fieldValidation="Strict")
        assert len(remembered) == 1
        assert remembered[0] is not None

    play(story)


def test_generated_names_go_with_templates(play, account):
    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        made = [
            await api.create(PODS, {"metadata": {"generateName": "x-"}, "spec": SPEC})
            for _ in range(4)
        ]
        assert len({it["metadata"]["name"] for it in made}) == 4
        specs = [it["spec"] for it in made]
        assert specs == [specs[0]] * 4

    play(story)


def test_what_is_refused_or_complained_of_is_so_each_time(play, account):
    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        comparing = Comparing(api)
        unknown = await comparing.both({**SPEC, "colour": "blue"})
        assert unknown.code == 201
        assert "colour" in unknown.headers["Warning"]
        strict = await comparing.both({**SPEC, "colour": "blue"}, fieldValidation="Strict")
        assert strict.code == 400
        invalid = await comparing.both({**SPEC, "restartPolicy": "Perhaps"})
        assert invalid.code == 422
        mistyped = await comparing.both({**SPEC, "hostNetwork": "yes"})
        assert mistyped.code == 400
        missing = await comparing.both({**SPEC, "priorityClassName": "gone"})
        assert missing.code == 403
        await comparing.both(SPEC, {"labels": {"-": "no name"}})
        await comparing.both(SPEC, {"annotations": {"spec": {"containers": []}}})
        await comparing.both(SPEC, {"namespace": "kube-system"})

    play(story)


def test_fields_named_twice_are_told_of_each_time(play, account):
    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        spec = json.dumps(SPEC)
        for number in range(4):
            text = f'{{"metadata":{{"name":"a{number}"}},"spec":{spec},"spec":{spec}}}'
            answer = await api.send("POST", PODS, text.encode())
            assert answer.headers["Warning"] == '299 - "duplicate field \\"spec\\""'
            twice = spec.replace("{", '{"hostname":"a","hostname":"b",', 1)
            text = f'{{"metadata":{{"name":"b{number}"}},"spec":{twice}}}'
            answer = await api.send("POST", PODS, text.encode())
            assert answer.headers["Warning"] == '299 - "duplicate field \\"spec.hostname\\""'
            assert answer["spec"]["hostname"] == "b"

    play(story)


def test_templates_follow_what_they_are_made_of(play, account):
    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        comparing = Comparing(api)
        assert (await comparing.both(SPEC))["spec"]["priority"] == 0
        standard = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True}
        await api.create(CLASSES, standard)
        assert (await comparing.both(SPEC))["spec"]["priority"] == 7
        change = {"automountServiceAccountToken": False}
        await api.send("PATCH", ACCOUNT, change, headers=MERGE)
        assert "volumes" not in (await comparing.both(SPEC))["spec"]
        limit = {"type": "Container", "default": {"cpu": "1"}, "max": {"cpu": "2"}}
        await api.create(LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": [limit]}})
        limited = await comparing.both(SPEC)
        assert limited["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1"}
        assert limited["metadata"]["annotations"]
        large = {"name": "main", "image": "hello:1", "resources": {"limits": {"cpu": "3"}}}
        assert (await comparing.both({"containers": [large]})).code == 403
        await api.send("DELETE", ACCOUNT)
        assert (await comparing.both(SPEC)).code == 403

    play(story)


def test_namespaces_and_users_are_looked_at_each_time(play, account):
    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        comparing = Comparing(api)
        await comparing.both(SPEC)
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        change = {"metadata": {"labels": labels}}
        await api.send("PATCH", "/api/v1/namespaces/default", change, headers=MERGE)
        assert (await comparing.both(SPEC)).code == 403
        mirror = {"annotations": {"kubernetes.io/config.mirror": "x"}}
        assert (await comparing.both(SPEC, mirror, as_user=NODE)).code == 403

    play(story)


def test_who_changes_a_pod_changes_that_pod_alone(play, account):
    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        comparing = Comparing(api)
        before = await comparing.both(SPEC)
        expression = (
            "Object{spec: Object.spec{containers: object.spec.containers.map(c, "
            "Object.spec.containers{name: c.name, workingDir: '/' + object.metadata.name})}}"
        )
        rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"]}
        policy = {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": [{**rule, "resources": ["pods"]}]},
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": expression},
                }
            ],
        }
        await api.create(POLICIES, {"metadata": {"name": "p"}, "spec": policy})
        await api.create(BINDINGS, {"metadata": {"name": "p"}, "spec": {"policyName": "p"}})
        changed = await comparing.both(SPEC)
        name = changed["metadata"]["name"]
        assert changed["spec"]["containers"][0]["workingDir"] == f"/{name}"
        await api.send("DELETE", f"{BINDINGS}/p")
        assert (await comparing.both(SPEC))["spec"] == before["spec"]

    play(story)


def test_templates_are_bounded_and_let_go(play, account, monkeypatch):
    monkeypatch.setattr(templates, "MOST_BYTES", 1000)

    async def story(api):
        await api.create(ACCOUNT.rpartition("/")[0], account)
        held = copy(familiar._kept)
        for number in range(40):
            spec = {**SPEC, "hostname": f"host-{number}"}
            for side in "abc":
                await api.create(PODS, body(f"{side}-{number}", spec))
        assert 0 < len(familiar._kept) - len(held) < 40
        await api.send("PATCH", ACCOUNT, {"metadata": {"labels": {"a": "b"}}}, headers=MERGE)
        assert familiar._kept == held

    play(story)


CONTAINERS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", ""]), "image": st.sampled_from(["x:1", "y", ""])},
    optional={
        "env": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["A", "B", "="])}, optional={"value": st.just("1")}
            ),
            max_size=2,
        ),
        "resources": st.fixed_dictionaries(
            {}, optional={"limits": st.dictionaries(st.just("cpu"), st.sampled_from(["1", "0.5"]))}
        ),
        "volumeMounts": st.lists(st.just({"name": "v", "mountPath": "/v"}), max_size=1),
        "livenessProbe": st.just({"httpGet": {"port": 80}}),
        "command": st.none() | st.lists(st.just("run"), max_size=1),
    },
)
SPECS = st.fixed_dictionaries(
    {"containers": st.lists(CONTAINERS, max_size=2)},
    optional={
        "volumes": st.lists(st.just({"name": "v", "emptyDir": {}}), max_size=1),
        "initContainers": st.lists(CONTAINERS, max_size=1),
        "tolerations": st.lists(st.just({"operator": "Exists"}), max_size=1),
        "serviceAccountName": st.sampled_from(["default", "gone", ""]),
        "securityContext": st.none() | st.just({"runAsUser": 1.0}),
        "hostNetwork": st.booleans(),
        "priority": st.sampled_from([0, 5]),
        "strange": st.just(1),
    },
)


@settings(max_examples=30, deadline=None)
@given(specs=st.lists(SPECS, min_size=3, max_size=6))
def test_no_spec_becomes_another_for_being_remembered(play_sequence, specs):
    async def story(restart, _store):
        api = await restart()
        await api.create(ACCOUNT.rpartition("/")[0], {"metadata": {"name": "default"}})
        comparing = Comparing(api)
        for spec in specs:
            await comparing.both(spec)

    play_sequence(story, MemoryStore())
