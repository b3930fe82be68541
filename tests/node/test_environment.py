"""Environments: expansion, references and service variables."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.node.cluster_view import Service
from sampan.node.environment import environment, expand, expand_all
from sampan.node.references import MissingReference, Surroundings

AROUND = Surroundings(
    pod_address="10.42.0.5",
    host_address="10.44.0.1",
    config_maps={"settings": {"mode": b"fast", "bad key": b"x"}},
    secrets={"login": {"password": b"s3cret"}},
    allocatable={"cpu": Decimal(2), "memory": Decimal(2**30)},
)


def variables(make_pod, *env, **container):
    spec = {"containers": [{"name": "main", "env": list(env), **container}]}
    pod = make_pod(spec, metadata={"labels": {"app": "web", "tier": 'a"b'}})
    return environment(pod, pod.spec.containers[0], AROUND)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$(A)-$(B)", "1-2"),
        ("$$(A)", "$(A)"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$A ${A} $(A", "$A ${A} $(A"),
        ("$$$(A)", "$1"),
        ("$(A)$$", "1$"),
    ],
)
def test_expansion(text, result):
    assert expand(text, {"A": "1", "B": "2"}) == result


@given(st.text(alphabet="$()AB x"))
def test_without_known_names_only_doubled_dollars_change(text):
    assert expand(text, {}) == text.replace("$$", "$") or "$(" in text


def test_a_value_sees_the_variables_before_it(make_pod):
    found = variables(
        make_pod, {"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}, {"name": "C"}
    )
    assert found == {"A": "1", "B": "12", "C": ""}


def test_values_that_double_each_other_are_stopped_early(make_pod):
    doubling = [{"name": f"A{n}", "value": f"$(A{n - 1})$(A{n - 1})"} for n in range(1, 60)]
    with pytest.raises(MissingReference, match="too long"):
        variables(make_pod, {"name": "A0", "value": "ha"}, *doubling)


def test_many_long_values_are_stopped_early(make_pod):
    many = [{"name": f"B{n}", "value": "$(A)"} for n in range(10_000)]
    with pytest.raises(MissingReference, match="too long"):
        variables(make_pod, {"name": "A", "value": "x" * 100_000}, *many)
    with pytest.raises(MissingReference, match="too long"):
        expand_all(["$(A)"] * 10_000, {"A": "x" * 100_000})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.42.0.5"),
        ("status.hostIP", "10.44.0.1"),
        ("metadata.labels", 'app="web"\ntier="a\\"b"'),
    ],
)
def test_fields_of_the_pod(make_pod, path, value):
    source = {"name": "V", "valueFrom": {"fieldRef": {"fieldPath": path}}}
    assert variables(make_pod, source)["V"] == value


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "1", "1"),
        ("limits.cpu", "1m", "500"),
        ("requests.memory", "1Mi", "64"),
        ("limits.memory", "1Mi", "1024"),
        ("requests.cpu", "1m", "0"),
    ],
)
def test_resources_are_divided_and_rounded_up(make_pod, resource, divisor, value):
    reference = {"resourceFieldRef": {"resource": resource, "divisor": divisor}}
    found = variables(
        make_pod,
        {"name": "V", "valueFrom": reference},
        resources={"limits": {"cpu": "500m"}, "requests": {"memory": "64Mi"}},
    )
    assert found["V"] == value


def key(kind, name, field, optional=False):
    source = {kind: {"name": name, "key": field, "optional": optional}}
    return {"name": "V", "valueFrom": source}


def test_values_out_of_config_maps_and_secrets(make_pod):
    assert variables(make_pod, key("configMapKeyRef", "settings", "mode")) == {"V": "fast"}
    assert variables(make_pod, key("secretKeyRef", "login", "password")) == {"V": "s3cret"}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (key("configMapKeyRef", "none", "x"), 'configmap "none" not found'),
        (key("secretKeyRef", "none", "x"), 'secret "none" not found'),
        (key("secretKeyRef", "login", "x"), "couldn't find key x in Secret shop/login"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(make_pod, reference, message):
    with pytest.raises(MissingReference, match=message):
        variables(make_pod, reference)


def test_an_optional_reference_may_lead_nowhere(make_pod):
    assert variables(make_pod, key("configMapKeyRef", "none", "x", optional=True)) == {}
    assert variables(make_pod, key("secretKeyRef", "login", "x", optional=True)) == {}


def test_whole_objects_become_variables_and_env_goes_before_them(make_pod):
    found = variables(
        make_pod,
        {"name": "APP_mode", "value": "slow"},
        envFrom=[{"prefix": "APP_", "configMapRef": {"name": "settings"}}],
    )
    assert found == {"APP_mode": "slow"}
    with pytest.raises(MissingReference):
        variables(make_pod, envFrom=[{"secretRef": {"name": "none"}}])
    assert variables(make_pod, envFrom=[{"secretRef": {"name": "none", "optional": True}}]) == {}


def service(name, namespace, address="10.43.0.7"):
    raw = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": address, "ports": [{"name": "http", "port": 80}]},
    }
    return msgspec.json.decode(json.dumps(raw), type=Service)


def test_services_of_the_namespace_and_the_api_are_told_by_variables(make_pod):
    services = (
        service("my-shop", "shop"),
        service("kubernetes", "default", "10.43.0.1"),
        service("far", "other"),
        service("headless", "shop", "None"),
    )
    around = msgspec.structs.replace(AROUND, services=services)
    pod = make_pod()
    found = environment(pod, pod.spec.containers[0], around)
    assert found["MY_SHOP_SERVICE_HOST"] == "10.43.0.7"
    assert found["MY_SHOP_SERVICE_PORT_HTTP"] == "80"
    assert found["MY_SHOP_PORT_80_TCP"] == "tcp://10.43.0.7:80"
    assert found["KUBERNETES_SERVICE_HOST"] == "10.43.0.1"
    assert not any(name.startswith(("FAR", "HEADLESS")) for name in found)
    plain = make_pod({"enableServiceLinks": False})
    found = environment(plain, plain.spec.containers[0], around)
    assert {name.split("_")[0] for name in found} == {"KUBERNETES"}
