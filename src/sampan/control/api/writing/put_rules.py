"""What a PUT may do that depends on the kind: create, and update without naming a version.

The tables are those of the strategies in k8s.io/kubernetes `pkg/registry` (AllowCreateOnUpdate,
AllowUnconditionalUpdate); kinds are named by group and plural.
"""

from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Cause, Kind
from sampan.kubernetes.machinery import status

_ROLES = "rbac.authorization.k8s.io"
_CREATED = frozenset(
    {
        ("", "endpoints"),
        ("", "events"),
        ("", "limitranges"),
        ("", "services"),
        ("coordination.k8s.io", "leases"),
        ("events.k8s.io", "events"),
        (_ROLES, "clusterrolebindings"),
        (_ROLES, "clusterroles"),
        (_ROLES, "rolebindings"),
        (_ROLES, "roles"),
    }
)
_VERSIONED = frozenset(
    {
        ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
        ("coordination.k8s.io", "leases"),
        ("node.k8s.io", "runtimeclasses"),
        ("policy", "poddisruptionbudgets"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "csistoragecapacities"),
        ("storage.k8s.io", "volumeattachments"),
    }
)


def may_create(kind: Kind) -> bool:
    """Whether a PUT of what isn't there creates it."""
    return (kind.resource.group, kind.resource.plural) in _CREATED


def check_version(kind: Kind, name: str, version: str) -> None:
    """Raises Refused (422) where an update must say which version it was made from."""
    resource = kind.resource
    needed = kind.custom is not None or (resource.group, resource.plural) in _VERSIONED
    if needed and version in ("", "0"):
        message = "Invalid value: 0x0: must be specified for an update"
        cause = Cause("metadata.resourceVersion", "FieldValueInvalid", message)
        raise Refused(status.invalid(resource.group, resource.plural, name, [cause]))
