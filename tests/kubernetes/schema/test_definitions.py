"""The compact schema file: lookups, references, and the prose beside it."""

import pytest

from sampan.kubernetes.schema import definitions


def test_a_kind_leads_to_its_definition() -> None:
    name = definitions.definition_name("apps", "v1", "Deployment")
    assert name == "io.k8s.api.apps.v1.Deployment"
    assert definitions.definition(name).kinds == (("apps", "v1", "Deployment"),)


def test_a_reference_is_resolved() -> None:
    pod = definitions.definition("io.k8s.api.core.v1.Pod")
    spec = definitions.resolve(pod.properties["spec"])
    assert spec.required == ("containers",)
    containers = spec.properties["containers"]
    assert (containers.merge_key, containers.patch_strategies) == ("name", ("merge",))
    assert containers.list_map_keys == ("name",)


def test_optional_types_become_plain_and_special_types_are_named() -> None:
    spec = definitions.definition("io.k8s.api.core.v1.PodSpec")
    assert spec.properties["nodeName"].type == "string"
    limits = definitions.definition("io.k8s.api.core.v1.ResourceRequirements").properties["limits"]
    assert limits.values is not None
    assert definitions.resolve(limits.values).type == "quantity"
    port = definitions.definition("io.k8s.api.core.v1.HTTPGetAction").properties["port"]
    assert definitions.resolve(port).type == "int-or-string"


def test_a_field_with_two_strategies_keeps_both() -> None:
    volumes = definitions.definition("io.k8s.api.core.v1.PodSpec").properties["volumes"]
    assert volumes.patch_strategies == ("merge", "retainKeys")


@pytest.mark.parametrize("kind", [("", "v1", "Nothing"), ("apps", "v9", "Deployment")])
def test_an_unknown_kind_is_refused(kind: tuple[str, str, str]) -> None:
    with pytest.raises(definitions.UnknownDefinition):
        definitions.definition_name(*kind)


def test_an_unknown_definition_is_refused() -> None:
    with pytest.raises(definitions.UnknownDefinition):
        definitions.definition("io.k8s.api.core.v1.Nothing")


def test_every_reference_leads_somewhere() -> None:
    names = definitions.reachable(
        ("io.k8s.api.core.v1.PodList", "io.k8s.api.apps.v1.DeploymentList")
    )
    assert "io.k8s.api.core.v1.Container" in names
    assert all(definitions.definition(name) for name in names)


def test_prose_is_kept_apart() -> None:
    prose = definitions.descriptions()["io.k8s.api.core.v1.Container"]
    assert prose[""].startswith("A single application container")
    assert "image" in prose
