"""The flow schemas and priority levels without which a server doesn't run.

Their specs are fixed (k8s.io/apiserver `apis/flowcontrol/bootstrap`), but for the shares of the
level `exempt`.
"""

from sampan.kubernetes.kinds.kind import Object

EXEMPT = "exempt"
CATCH_ALL = "catch-all"


def everything(*subjects: Object) -> Object:
    """The rule that takes every request of `subjects`."""
    return {
        "subjects": list(subjects),
        "resourceRules": [
            {
                "verbs": ["*"],
                "apiGroups": ["*"],
                "resources": ["*"],
                "clusterScope": True,
                "namespaces": ["*"],
            }
        ],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }


def group(name: str) -> Object:
    return {"kind": "Group", "group": {"name": name}}


def flow_schemas() -> dict[str, Object]:
    """The spec of each, by name."""
    return {
        EXEMPT: {
            "priorityLevelConfiguration": {"name": EXEMPT},
            "matchingPrecedence": 1,
            "rules": [everything(group("system:masters"))],
        },
        CATCH_ALL: {
            "priorityLevelConfiguration": {"name": CATCH_ALL},
            "matchingPrecedence": 10000,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [everything(group("system:unauthenticated"), group("system:authenticated"))],
        },
    }


def priority_levels() -> dict[str, Object]:
    """The spec of each, by name."""
    return {
        EXEMPT: {
            "type": "Exempt",
            "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0},
        },
        CATCH_ALL: {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 5,
                "limitResponse": {"type": "Reject"},
                "lendablePercent": 0,
            },
        },
    }
