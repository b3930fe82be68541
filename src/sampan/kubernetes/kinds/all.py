"""Every kind that Sampan serves, one explicit list, and the ways to look one up."""

from sampan.kubernetes.kinds.admissionregistration.policies import (
    MUTATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY,
)
from sampan.kubernetes.kinds.admissionregistration.policy_bindings import (
    MUTATING_ADMISSION_POLICY_BINDING,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from sampan.kubernetes.kinds.admissionregistration.webhooks import (
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
)
from sampan.kubernetes.kinds.apiextensions.custom_resource_definitions import (
    CUSTOM_RESOURCE_DEFINITION,
)
from sampan.kubernetes.kinds.apiregistration import API_SERVICE
from sampan.kubernetes.kinds.apps.controller_revisions import CONTROLLER_REVISION
from sampan.kubernetes.kinds.apps.daemon_sets import DAEMON_SET
from sampan.kubernetes.kinds.apps.deployments import DEPLOYMENT
from sampan.kubernetes.kinds.apps.replica_sets import REPLICA_SET
from sampan.kubernetes.kinds.apps.stateful_sets import STATEFUL_SET
from sampan.kubernetes.kinds.autoscaling.pod_autoscalers import HORIZONTAL_POD_AUTOSCALER
from sampan.kubernetes.kinds.autoscaling.pod_autoscalers_v1 import HORIZONTAL_POD_AUTOSCALER_V1
from sampan.kubernetes.kinds.batch.cron_jobs import CRON_JOB
from sampan.kubernetes.kinds.batch.jobs import JOB
from sampan.kubernetes.kinds.certificates.pod_requests import POD_CERTIFICATE_REQUEST
from sampan.kubernetes.kinds.certificates.signing_requests import CERTIFICATE_SIGNING_REQUEST
from sampan.kubernetes.kinds.certificates.trust_bundles import CLUSTER_TRUST_BUNDLE
from sampan.kubernetes.kinds.coordination import LEASE
from sampan.kubernetes.kinds.core.bindings import BINDING
from sampan.kubernetes.kinds.core.component_statuses import COMPONENT_STATUS
from sampan.kubernetes.kinds.core.configuration import CONFIG_MAP, SECRET, SERVICE_ACCOUNT
from sampan.kubernetes.kinds.core.endpoints import ENDPOINTS_KIND
from sampan.kubernetes.kinds.core.events import EVENT, GROUP_EVENT
from sampan.kubernetes.kinds.core.limit_ranges import LIMIT_RANGE
from sampan.kubernetes.kinds.core.namespaces import NAMESPACE
from sampan.kubernetes.kinds.core.nodes import NODE
from sampan.kubernetes.kinds.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIM
from sampan.kubernetes.kinds.core.persistent_volumes import PERSISTENT_VOLUME
from sampan.kubernetes.kinds.core.pod_templates import POD_TEMPLATE
from sampan.kubernetes.kinds.core.pods import POD
from sampan.kubernetes.kinds.core.replication_controllers import REPLICATION_CONTROLLER
from sampan.kubernetes.kinds.core.resource_quotas import RESOURCE_QUOTA
from sampan.kubernetes.kinds.core.services import SERVICE
from sampan.kubernetes.kinds.discovery import ENDPOINT_SLICE
from sampan.kubernetes.kinds.flowcontrol.flow_schemas import FLOW_SCHEMA
from sampan.kubernetes.kinds.flowcontrol.priority_levels import PRIORITY_LEVEL_CONFIGURATION
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.networking.ingresses import INGRESS, INGRESS_CLASS
from sampan.kubernetes.kinds.networking.network_policies import NETWORK_POLICY
from sampan.kubernetes.kinds.networking.service_ranges import IP_ADDRESS, SERVICE_CIDR
from sampan.kubernetes.kinds.node import RUNTIME_CLASS
from sampan.kubernetes.kinds.policy import POD_DISRUPTION_BUDGET
from sampan.kubernetes.kinds.rbac import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
)
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.kinds.resource_claims.claims import RESOURCE_CLAIM, RESOURCE_CLAIM_TEMPLATE
from sampan.kubernetes.kinds.resource_claims.devices import (
    DEVICE_CLASS,
    DEVICE_TAINT_RULE,
    RESOURCE_SLICE,
)
from sampan.kubernetes.kinds.reviews import (
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_REVIEW,
    SELF_SUBJECT_RULES_REVIEW,
    SUBJECT_ACCESS_REVIEW,
    TOKEN_REVIEW,
)
from sampan.kubernetes.kinds.scheduling import PRIORITY_CLASS
from sampan.kubernetes.kinds.storage.drivers import CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY
from sampan.kubernetes.kinds.storage.storage_classes import STORAGE_CLASS, VOLUME_ATTRIBUTES_CLASS
from sampan.kubernetes.kinds.storage.volume_attachments import VOLUME_ATTACHMENT
from sampan.kubernetes.kinds.storage_migrations import STORAGE_VERSION_MIGRATION

# In the order of groups in which clients prefer them, which discovery keeps.
ALL: tuple[Kind, ...] = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    EVENT,
    CONFIG_MAP,
    SECRET,
    SERVICE_ACCOUNT,
    ENDPOINTS_KIND,
    LIMIT_RANGE,
    RESOURCE_QUOTA,
    PERSISTENT_VOLUME,
    POD_TEMPLATE,
    REPLICATION_CONTROLLER,
    COMPONENT_STATUS,
    BINDING,
    PERSISTENT_VOLUME_CLAIM,
    API_SERVICE,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    DAEMON_SET,
    CONTROLLER_REVISION,
    GROUP_EVENT,
    SELF_SUBJECT_REVIEW,
    TOKEN_REVIEW,
    SUBJECT_ACCESS_REVIEW,
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_RULES_REVIEW,
    HORIZONTAL_POD_AUTOSCALER,
    HORIZONTAL_POD_AUTOSCALER_V1,
    JOB,
    CRON_JOB,
    CERTIFICATE_SIGNING_REQUEST,
    CLUSTER_TRUST_BUNDLE,
    POD_CERTIFICATE_REQUEST,
    INGRESS,
    INGRESS_CLASS,
    NETWORK_POLICY,
    IP_ADDRESS,
    SERVICE_CIDR,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    STORAGE_CLASS,
    VOLUME_ATTACHMENT,
    CSI_DRIVER,
    CSI_NODE,
    CSI_STORAGE_CAPACITY,
    VOLUME_ATTRIBUTES_CLASS,
    STORAGE_VERSION_MIGRATION,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    CUSTOM_RESOURCE_DEFINITION,
    PRIORITY_CLASS,
    LEASE,
    RUNTIME_CLASS,
    ENDPOINT_SLICE,
    FLOW_SCHEMA,
    PRIORITY_LEVEL_CONFIGURATION,
    DEVICE_CLASS,
    DEVICE_TAINT_RULE,
    RESOURCE_CLAIM,
    RESOURCE_CLAIM_TEMPLATE,
    RESOURCE_SLICE,
)

BY_RESOURCE: dict[Resource, Kind] = {kind.resource: kind for kind in ALL}
"""By the resource itself."""
