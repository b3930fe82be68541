"""The rules of services' addresses and address families, in Kubernetes' words."""

import ipaddress
from collections.abc import Iterator

from sampan.kubernetes.kinds.core.endpoints import check_reachable
from sampan.kubernetes.kinds.core.pod_network_validation import check_address
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import duplicate, forbidden, invalid, unsupported

HEADLESS = "None"
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_MOST = 2
_TOO_MANY = "may only hold up to 2 values"
_KEPT = "may not change once set"


def is_headless(spec: Object) -> bool:
    addresses: list[str | None] = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return addresses[0] == HEADLESS


def check_service_addresses(spec: Object) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidateServiceClusterIPsRelatedFields, and external addresses."""
    if spec.get("type") == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name):
                yield forbidden(f"spec.{name}", "may not be set for ExternalName services")
    elif is_headless(spec) and spec.get("type") in ("NodePort", "LoadBalancer"):
        detail = f"may not be set to 'None' for {spec['type']} services"
        yield invalid("spec.clusterIPs[0]", HEADLESS, detail)
    yield from _check_families(spec)
    yield from _check_cluster_addresses(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        yield from check_address(address, f"spec.externalIPs[{index}]")
        yield from check_reachable(address, f"spec.externalIPs[{index}]")


def _check_families(spec: Object) -> Iterator[Cause]:
    families = spec.get("ipFamilies") or []
    if len(families) > _MOST:
        yield invalid("spec.ipFamilies", families, _TOO_MANY)
        return
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            yield unsupported(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        yield unsupported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES)
    elif policy == "SingleStack":
        for name in ("clusterIPs", "ipFamilies"):
            if len(spec.get(name) or ()) > 1:
                detail = "may only hold one value when `ipFamilyPolicy` is SingleStack"
                yield invalid(f"spec.{name}", spec[name], detail)


def _check_cluster_addresses(spec: Object) -> Iterator[Cause]:
    addresses, families = spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    if addresses and addresses[0] != spec.get("clusterIP"):
        yield invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    if len(addresses) > _MOST:
        yield invalid("spec.clusterIPs", addresses, _TOO_MANY)
        return
    for index, address in enumerate(addresses):
        field = f"spec.clusterIPs[{index}]"
        if address == HEADLESS:
            if len(addresses) > 1:
                detail = "'None' must be the first and only value"
                yield invalid(field, addresses, detail)
        elif address:
            yield from check_address(address, field)
            family = _family(address)
            if family and index < len(families) and families[index] != family:
                wanted = families[index]
                detail = f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"
                yield invalid(field, address, detail)


def _family(address: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(address).version}"
    except ValueError:
        return ""


def check_address_update(new: Object, old: Object) -> Iterator[Cause]:
    """The first address and the first family stay for as long as there are any."""
    if "ExternalName" in (new.get("type"), old.get("type")):
        return
    before, after = old.get("clusterIPs") or [], new.get("clusterIPs") or []
    if before and not after:
        yield invalid("spec.clusterIPs[0]", after, "primary clusterIP can not be unset")
    elif before[:1] and before[:1] != after[:1]:
        yield invalid("spec.clusterIPs[0]", after, _KEPT)
    elif len(before) > 1 and len(after) > 1 and before[1] != after[1]:
        yield invalid("spec.clusterIPs[1]", after, _KEPT)
    earlier, families = old.get("ipFamilies") or [], new.get("ipFamilies") or []
    if earlier and not families:
        yield invalid("spec.ipFamilies[0]", families, "primary ipFamily can not be unset")
    elif earlier[:1] and earlier[:1] != families[:1]:
        yield invalid("spec.ipFamilies[0]", families, _KEPT)
