"""All of admission in the order of its work: what may change an object, then what judges it."""

from random import Random

from sampan.control.api.admission.external_addresses import refuse_external_addresses
from sampan.control.api.admission.namespace_lifecycle import NamespaceLifecycle
from sampan.control.api.admission.node_restriction import restrict_nodes
from sampan.control.api.admission.priority import set_priority
from sampan.control.api.admission.role_escalation import RoleEscalation
from sampan.control.api.admission.service_account import ServiceAccount
from sampan.control.api.admission.tolerations import DefaultTolerations
from sampan.control.api.admission.write import Admission
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.settings import ApiSettings


def mutating(cache: WatchCache, settings: ApiSettings, random: Random) -> tuple[Admission, ...]:
    """What fills in and changes, before validation."""
    return (
        ServiceAccount(cache, random),
        DefaultTolerations(settings.toleration_seconds),
        set_priority,
    )


def validating(cache: WatchCache, authorizer: Authorizer) -> tuple[Admission, ...]:
    """What judges the finished object."""
    return (
        NamespaceLifecycle(cache),
        restrict_nodes,
        refuse_external_addresses,
        RoleEscalation(authorizer),
    )
