"""What discovery says of each kind, held against what Kubernetes' own servers say.

`data/discovery-1.20.jsonl` was read off kube-apiserver 1.20; what has changed since stands in
the tables here. `data/api-paths.tsv` has the paths of the public description of mid-2026, and
the methods that each answers to.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.kind import Kind

DATA = Path(__file__).parent / "data"
METHODS = {"post": "create", "put": "update"}

# Served since 1.20, or built where requests are passed on rather than where kinds are described.
NEW_SUBRESOURCES = {("v1", "pods"): {"ephemeralcontainers", "resize"}}
PASSED_ON = {"proxy", "attach", "exec", "portforward"}
# The old way to bind a pod; schedulers use `pods/binding`.
NOT_SERVED = {("", "v1", "bindings", "")}
NEW_VERBS = {("v1", "services"): {"deletecollection"}}
# Columns that were added, or renamed, since.
NEW_COLUMNS = {
    "batch/v1 jobs": {"Status"},
    "certificates.k8s.io/v1 certificatesigningrequests": {"RequestedDuration"},
    "flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations": {"NominalConcurrencyShares"},
    "scheduling.k8s.io/v1 priorityclasses": {"PreemptionPolicy"},
    "storage.k8s.io/v1 csidrivers": {"RequiresRepublish", "StorageCapacity", "TokenRequests"},
    "v1 persistentvolumeclaims": {"VolumeAttributesClass"},
    "v1 persistentvolumes": {"VolumeAttributesClass"},
    "v1 pods": {"Restarts"},
}
OLD_COLUMNS = {
    "flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations": {"AssuredConcurrencyShares"},
    "v1 pods": {"Restarts"},
}


def _facts() -> dict[tuple[str, str], dict[str, Any]]:
    lines = (DATA / "discovery-1.20.jsonl").read_text().splitlines()
    return {(it["groupVersion"], it["name"]): it for it in map(json.loads, lines)}


FACTS = _facts()
KNOWN = [kind for kind in ALL if (kind.resource.group_version, kind.resource.plural) in FACTS]


def _fact(kind: Kind) -> dict[str, Any]:
    return FACTS[kind.resource.group_version, kind.resource.plural]


def _name(kind: Kind) -> str:
    return f"{kind.resource.group_version} {kind.resource.plural}"


def test_most_kinds_are_as_old() -> None:
    assert len(KNOWN) > 40


@pytest.mark.parametrize("kind", KNOWN, ids=_name)
def test_names_scope_and_verbs(kind: Kind) -> None:
    fact = _fact(kind)
    key = (kind.resource.group_version, kind.resource.plural)
    assert kind.resource.kind == fact["kind"]
    assert kind.resource.namespaced is fact["namespaced"]
    assert list(kind.short_names) == fact.get("shortNames", [])
    assert list(kind.categories) == fact.get("categories", [])
    assert set(kind.verbs) == set(fact["verbs"]) | NEW_VERBS.get(key, set())
    assert kind.singular == kind.resource.kind.lower()


@pytest.mark.parametrize("kind", KNOWN, ids=_name)
def test_subresources(kind: Kind) -> None:
    key = (kind.resource.group_version, kind.resource.plural)
    prefix = f"{key[1]}/"
    facts = {
        name.removeprefix(prefix): fact
        for (version, name), fact in FACTS.items()
        if version == key[0] and name.startswith(prefix)
    }
    found = {subresource.name: subresource for subresource in kind.subresources}
    assert found.keys() - facts.keys() == NEW_SUBRESOURCES.get(key, set())
    assert facts.keys() - found.keys() <= PASSED_ON
    for name in facts.keys() & found.keys():
        assert found[name].kind == facts[name]["kind"]
        assert set(found[name].verbs) == set(facts[name]["verbs"])


@pytest.mark.parametrize("kind", [it for it in KNOWN if "columns" in _fact(it)], ids=_name)
def test_columns(kind: Kind) -> None:
    new, old = NEW_COLUMNS.get(_name(kind), set()), OLD_COLUMNS.get(_name(kind), set())
    found = [[it.name, it.type, it.format, it.priority] for it in kind.columns]
    wanted = [it for it in _fact(kind)["columns"] if it[0] not in old]
    assert sorted(it for it in found if it[0] not in new) == sorted(wanted)
    assert new <= {it[0] for it in found}


def _paths() -> dict[tuple[str, str, str, str], set[str]]:
    with (DATA / "api-paths.tsv").open() as lines:
        return {
            (row["group"], row["version"], row["resource"], row["subresource"]): {
                METHODS.get(method, method) for method in row["methods"].split(",")
            }
            for row in csv.DictReader(lines, delimiter="\t")
        }


def test_every_path_of_a_stable_version_is_served() -> None:
    served: dict[tuple[str, str, str, str], set[str]] = {}
    for kind in ALL:
        resource = kind.resource
        key = (resource.group, resource.version, resource.plural)
        served[(*key, "")] = set(kind.verbs) - {"watch"}
        for subresource in kind.subresources:
            served[(*key, subresource.name)] = set(subresource.verbs)
    differing = {
        key: (verbs, served.get(key))
        for key, verbs in _paths().items()
        if key[3] not in PASSED_ON and key not in NOT_SERVED and served.get(key) != verbs
    }
    assert differing == {}


def test_groups_come_in_the_order_in_which_clients_prefer_them() -> None:
    groups = list(dict.fromkeys(kind.resource.group for kind in ALL))
    assert groups == [
        "",
        "apiregistration.k8s.io",
        "apps",
        "events.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "scheduling.k8s.io",
        "coordination.k8s.io",
        "node.k8s.io",
        "discovery.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "resource.k8s.io",
    ]
