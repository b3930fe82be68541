"""The default flow schemas and priority levels (k8s.io/apiserver `apis/flowcontrol/bootstrap`).

Two of each are mandatory; the others are suggestions that people may change.
"""

from collections.abc import Iterable, Iterator

from sampan.control.api.bootstrap.standing import Renewal, Standing, named
from sampan.kubernetes.kinds.flowcontrol import mandatory
from sampan.kubernetes.kinds.flowcontrol.mandatory import everything, group
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    FLOW_SCHEMAS,
    PRIORITY_LEVEL_CONFIGURATIONS,
    Resource,
)

_AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
_BY_USER, _BY_NAMESPACE = "ByUser", "ByNamespace"
_LEASE_VERBS = ("get", "create", "update")
_LEASES = "coordination.k8s.io"
_HEALTH = ("/healthz", "/livez", "/readyz")
_MANAGER, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"
_EVERYBODY = ("system:unauthenticated", "system:authenticated")

# Shares, queues, the hand that is dealt to a flow, and how much of the shares can be lent (%).
_LEVELS = {
    "system": (30, 64, 6, 33),
    "node-high": (40, 64, 6, 25),
    "leader-election": (10, 16, 4, 0),
    "workload-high": (40, 128, 6, 50),
    "workload-low": (100, 128, 6, 90),
    "global-default": (20, 128, 6, 50),
}
_QUEUE_LENGTH = 50


def standing_flow_control() -> Iterator[Standing]:
    for name, spec in (mandatory.priority_levels() | _suggested_levels()).items():
        fixed = name in mandatory.priority_levels()
        yield _standing(PRIORITY_LEVEL_CONFIGURATIONS, name, spec, fixed=fixed)
    for name, spec in (mandatory.flow_schemas() | _suggested_schemas()).items():
        fixed = name in mandatory.flow_schemas()
        yield _standing(FLOW_SCHEMAS, name, spec, fixed=fixed)


def _standing(resource: Resource, name: str, spec: Object, *, fixed: bool) -> Standing:
    tree = named(resource, name)
    tree["metadata"]["annotations"] = {_AUTOUPDATE: "true"}
    tree["spec"] = spec
    return Standing(resource, tree, _with_spec(spec, fixed=fixed))


def _with_spec(spec: Object, *, fixed: bool) -> Renewal:
    def renew(current: Object) -> Object | None:
        annotations = current["metadata"].get("annotations") or {}
        kept_up = fixed or annotations.get(_AUTOUPDATE) == "true"
        # What can be changed of a fixed level is left as it was changed.
        if not kept_up or current.get("spec") == spec or "exempt" in spec:
            return None
        return {**current, "spec": spec}

    return renew


def _suggested_levels() -> dict[str, Object]:
    return {
        name: {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": shares,
                "lendablePercent": lendable,
                "limitResponse": {
                    "type": "Queue",
                    "queuing": {
                        "queues": queues,
                        "handSize": hand,
                        "queueLengthLimit": _QUEUE_LENGTH,
                    },
                },
            },
        }
        for name, (shares, queues, hand, lendable) in _LEVELS.items()
    }


def _suggested_schemas() -> dict[str, Object]:
    everybody = [group(name) for name in _EVERYBODY]
    accounts = _accounts("*")
    node = [group("system:nodes")]
    return {
        "probes": _schema("exempt", 2, "", [_probes(everybody)]),
        "system-leader-election": _schema(
            "leader-election",
            100,
            _BY_USER,
            [_resources([_user(_MANAGER), _user(_SCHEDULER), accounts], _LEASES, "leases")],
        ),
        "endpoint-controller": _schema(
            "workload-high",
            150,
            _BY_USER,
            [
                _resources(
                    [
                        _user(_MANAGER),
                        _accounts("endpoint-controller"),
                        _accounts("endpointslicemirroring-controller"),
                    ],
                    "",
                    "endpoints",
                )
            ],
        ),
        "workload-leader-election": _schema(
            "leader-election", 200, _BY_USER, [_resources([accounts], _LEASES, "leases")]
        ),
        "system-node-high": _schema("node-high", 400, _BY_USER, [_node_heartbeats(node)]),
        "system-nodes": _schema("system", 500, _BY_USER, [everything(*node)]),
        "kube-controller-manager": _schema(
            "workload-high", 800, _BY_NAMESPACE, [everything(_user(_MANAGER))]
        ),
        "kube-scheduler": _schema(
            "workload-high", 800, _BY_NAMESPACE, [everything(_user(_SCHEDULER))]
        ),
        "kube-system-service-accounts": _schema(
            "workload-high", 900, _BY_NAMESPACE, [everything(accounts)]
        ),
        "service-accounts": _schema(
            "workload-low", 9000, _BY_USER, [everything(group("system:serviceaccounts"))]
        ),
        "global-default": _schema("global-default", 9900, _BY_USER, [everything(*everybody)]),
    }


def _schema(level: str, precedence: int, method: str, rules: list[Object]) -> Object:
    spec: Object = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": rules,
    }
    return spec | ({"distinguisherMethod": {"type": method}} if method else {})


def _user(name: str) -> Object:
    return {"kind": "User", "user": {"name": name}}


def _accounts(name: str) -> Object:
    account = {"namespace": "kube-system", "name": name}
    return {"kind": "ServiceAccount", "serviceAccount": account}


def _probes(subjects: list[Object]) -> Object:
    rule = {"verbs": ["get"], "nonResourceURLs": list(_HEALTH)}
    return {"subjects": subjects, "nonResourceRules": [rule]}


def _rule(verbs: Iterable[str], api_group: str, *names: str, cluster: bool = False) -> Object:
    rule = {
        "verbs": list(verbs),
        "apiGroups": [api_group],
        "resources": list(names),
        "namespaces": ["*"],
    }
    return rule | ({"clusterScope": True} if cluster else {})


def _resources(subjects: list[Object], api_group: str, *names: str) -> Object:
    return {"subjects": subjects, "resourceRules": [_rule(_LEASE_VERBS, api_group, *names)]}


def _node_heartbeats(subjects: list[Object]) -> Object:
    rules = [
        _rule(["*"], "", "nodes", "nodes/status", cluster=True),
        _rule(["*"], _LEASES, "leases"),
    ]
    return {"subjects": subjects, "resourceRules": rules}
