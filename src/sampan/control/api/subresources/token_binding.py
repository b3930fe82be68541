"""To what a token of a service account is bound, and which tokens a node may have.

A bound token is good as long as the object it names is there. The rules and words are those of
k8s.io/kubernetes `pkg/registry/core/serviceaccount` and of the NodeRestriction admission.
"""

from collections.abc import Iterator

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from sampan.kubernetes.machinery import status

_BINDABLE = {resource.kind: resource for resource in (PODS, SECRETS, NODES)}
_CLAIMS = {"Pod": "pod", "Secret": "secret", "Node": "node"}
_AUDIENCE_VERB = "request-serviceaccounts-token-audience"


def bound_claims(cache: WatchCache, reference: Object, namespace: str, account: str) -> Object:
    """The private claims for the object that a request names. Raises Refused (400, 404, 409)."""
    if not reference:
        return {}
    resource = _resource(reference)
    found = _found(cache, resource, reference, namespace)
    claims: Object = {_CLAIMS[resource.kind]: _claim(found)}
    if resource == PODS:
        spec = found.get("spec") or {}
        if spec.get("serviceAccountName") != account:
            message = (
                f'cannot bind token for serviceaccount "{account}" to pod running with '
                "different serviceaccount name."
            )
            raise Refused(status.bad_request(message))
        node = cache.of(NODES).get(f"/{spec.get('nodeName', '')}")
        if node is not None:
            claims["node"] = _claim(node.decoded())
        elif spec.get("nodeName"):
            claims["node"] = {"name": spec["nodeName"]}
    return claims


def _resource(reference: Object) -> Resource:
    kind, version = reference.get("kind", ""), reference.get("apiVersion") or "v1"
    resource = _BINDABLE.get(kind)
    if resource is None or version != "v1":
        message = f"cannot bind token to object of type {version}, Kind={kind}"
        raise Refused(status.bad_request(message))
    return resource


def _found(cache: WatchCache, resource: Resource, reference: Object, namespace: str) -> Object:
    name, uid = str(reference.get("name", "")), reference.get("uid", "")
    key = f"{namespace if resource.namespaced else ''}/{name}"
    stored = cache.of(resource).get(key)
    if stored is None:
        raise Refused(status.not_found(resource, name))
    tree = stored.decoded()
    if uid and uid != tree["metadata"]["uid"]:
        explanation = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise Refused(status.conflict(resource, name, explanation))
    return tree


def _claim(tree: Object) -> Object:
    return {"name": tree["metadata"]["name"], "uid": tree["metadata"]["uid"]}


def check_node(cache: WatchCache, authorizer: Authorizer, call: Call, spec: Object) -> None:
    """A node gets tokens for its own pods alone, and for the audiences that they ask for.

    Raises Refused (403).
    """
    reference = spec.get("boundObjectRef") or {}
    if reference.get("kind") != PODS.kind or not reference.get("name"):
        raise _refused(call, "node requested token not bound to a pod")
    if not reference.get("uid"):
        raise _refused(call, "node requested token with a pod binding without a uid")
    stored = cache.of(PODS).get(f"{call.attributes.namespace}/{reference['name']}")
    pod_spec = (stored.decoded().get("spec") if stored is not None else None) or {}
    if pod_spec.get("nodeName") != node_name(call.identity):
        raise _refused(call, "node requested token bound to a pod scheduled on a different node")
    asked = spec.get("audiences") or [""]
    known = set(_audiences(pod_spec))
    for audience in asked:
        if audience not in known and not _may_ask(authorizer, call, audience):
            raise _refused(
                call,
                f'audience "{audience}" not found in pod spec volume, {call.identity.name} is '
                "not authorized to request tokens for this audience",
            )


def _audiences(pod_spec: Object) -> Iterator[str]:
    """Those of a pod's projected tokens; the empty one is the API's own."""
    for volume in pod_spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in source:
                yield (source["serviceAccountToken"] or {}).get("audience", "")


def _may_ask(authorizer: Authorizer, call: Call, audience: str) -> bool:
    """KEP-4412: beyond the pod's own, an audience is a resource that a role may grant."""
    question = Attributes(
        verb=_AUDIENCE_VERB,
        path="",
        is_resource=True,
        resource=audience,
        namespace=call.attributes.namespace,
        name=call.attributes.name,
    )
    return bool(audience) and authorizer.allows(call.identity, question)


def _refused(call: Call, explanation: str) -> Refused:
    return Refused(status.forbidden(SERVICE_ACCOUNTS, call.attributes.name, explanation))
