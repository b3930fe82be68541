"""All of admission in the order of its work: what may change an object, then what judges it."""

from random import Random

from sampan.control.api.admission.certificate_requests import CertificateRequests, name_requestor
from sampan.control.api.admission.chain import AdmissionChain
from sampan.control.api.admission.external_addresses import refuse_external_addresses
from sampan.control.api.admission.namespace_lifecycle import NamespaceLifecycle
from sampan.control.api.admission.node_restriction import NodeRestriction
from sampan.control.api.admission.priority import set_priority
from sampan.control.api.admission.role_escalation import RoleEscalation
from sampan.control.api.admission.service_account import ServiceAccount
from sampan.control.api.admission.tolerations import DefaultTolerations
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.settings import ApiSettings


def admission_chain(
    cache: WatchCache, authorizer: Authorizer, settings: ApiSettings, random: Random
) -> AdmissionChain:
    """Everything, in its order."""
    return AdmissionChain(
        filling=(
            NamespaceLifecycle(cache),
            ServiceAccount(cache, random),
            DefaultTolerations(settings.toleration_seconds),
            set_priority,
            name_requestor,
        ),
        judging=(
            NodeRestriction(cache),
            refuse_external_addresses,
            RoleEscalation(authorizer),
            CertificateRequests(authorizer),
        ),
    )
