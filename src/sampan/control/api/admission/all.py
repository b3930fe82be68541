"""All of admission in the order of its work: what may change an object, then what judges it."""

from collections.abc import Callable
from datetime import datetime
from random import Random

from sampan.control.api.admission.certificate_condition_times import CertificateConditionTimes
from sampan.control.api.admission.certificate_requests import CertificateRequests, name_requestor
from sampan.control.api.admission.chain import AdmissionChain
from sampan.control.api.admission.claim_resize import ClaimResize
from sampan.control.api.admission.default_classes import DefaultClasses
from sampan.control.api.admission.expression_checks import ExpressionChecks
from sampan.control.api.admission.external_addresses import refuse_external_addresses
from sampan.control.api.admission.limit_ranger import LimitRanger
from sampan.control.api.admission.namespace_lifecycle import NamespaceLifecycle
from sampan.control.api.admission.node_restriction import NodeRestriction
from sampan.control.api.admission.node_taint import taint_new_node
from sampan.control.api.admission.pod_security.plugin import PodSecurity
from sampan.control.api.admission.policies.evaluation import Surroundings
from sampan.control.api.admission.policies.mutating import MutatingPolicies
from sampan.control.api.admission.policies.validating import ValidatingPolicies
from sampan.control.api.admission.priority import Priority
from sampan.control.api.admission.role_escalation import RoleEscalation
from sampan.control.api.admission.runtime_class import RuntimeClasses
from sampan.control.api.admission.service_account import ServiceAccount
from sampan.control.api.admission.signer_permissions import SignerPermissions
from sampan.control.api.admission.storage_protection import protect_storage
from sampan.control.api.admission.tolerations import DefaultTolerations
from sampan.control.api.admission.webhooks.asking import Asking
from sampan.control.api.admission.webhooks.index import WebhookIndex
from sampan.control.api.admission.webhooks.mutating import MutatingWebhooks
from sampan.control.api.admission.webhooks.validating import ValidatingWebhooks
from sampan.control.api.admission.write import Admission, Validating
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.outgoing.webhook_caller import WebhookCaller
from sampan.control.api.settings import ApiSettings
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import (
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from sampan.kubernetes.machinery.generated_names import new_uid


def admission_chain(
    cache: WatchCache,
    kinds: Kinds,
    authorizer: Authorizer,
    *,
    settings: ApiSettings,
    clock: Callable[[], datetime],
    random: Random,
    caller: WebhookCaller,
    quotas: Validating,
) -> AdmissionChain:
    """Everything, in its order; `quotas` come last, for they charge what will be stored."""
    around = Surroundings(cache, kinds, authorizer)
    limits, priority = LimitRanger(cache), Priority(cache)
    restriction = NodeRestriction(cache)
    asking = Asking(cache, authorizer, caller, lambda: new_uid(random))
    changing = WebhookIndex(cache, kinds, MUTATING_WEBHOOK_CONFIGURATIONS)
    verifying = WebhookIndex(cache, kinds, VALIDATING_WEBHOOK_CONFIGURATIONS)
    return AdmissionChain(
        gates=(NamespaceLifecycle(cache), restriction.of_evictions),
        filling=_filling(cache, limits, priority, settings=settings, clock=clock, random=random),
        mutating=(MutatingPolicies(around), MutatingWebhooks(changing, asking)),
        judging=_judging(cache, limits, priority, authorizer, restriction),
        validating=(
            ExpressionChecks(),
            ValidatingPolicies(around),
            ValidatingWebhooks(verifying, asking),
            quotas,
        ),
    )


def _filling(
    cache: WatchCache,
    limits: LimitRanger,
    priority: Priority,
    *,
    settings: ApiSettings,
    clock: Callable[[], datetime],
    random: Random,
) -> tuple[Admission, ...]:
    """What adds what an object needs."""
    return (
        ServiceAccount(cache, random),
        limits.fill,
        taint_new_node,
        DefaultTolerations(settings.toleration_seconds),
        priority.fill,
        RuntimeClasses(cache),
        DefaultClasses(cache),
        protect_storage,
        name_requestor,
        CertificateConditionTimes(clock),
    )


def _judging(
    cache: WatchCache,
    limits: LimitRanger,
    priority: Priority,
    authorizer: Authorizer,
    restriction: NodeRestriction,
) -> tuple[Admission, ...]:
    """What refuses, without waiting for anything."""
    return (
        restriction,
        PodSecurity(cache),
        priority.judge,
        limits.judge,
        ClaimResize(cache),
        refuse_external_addresses,
        RoleEscalation(authorizer),
        CertificateRequests(authorizer),
        SignerPermissions(authorizer),
    )
