"""The two forms of an Event: that of the core group, which is stored, and that of `events.k8s.io`.

They say the same under other names (pkg/apis/events/v1 conversion).
"""

from collections.abc import Mapping
from types import MappingProxyType

from sampan.kubernetes.kinds.kind import Object

GROUP_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "involvedObject": "regarding",
        "message": "note",
        "source": "deprecatedSource",
        "firstTimestamp": "deprecatedFirstTimestamp",
        "lastTimestamp": "deprecatedLastTimestamp",
        "count": "deprecatedCount",
        "reportingComponent": "reportingController",
    }
)
"""What `events.k8s.io` calls the fields of the core group's form."""
_CORE_NAMES = {name: core for core, name in GROUP_NAMES.items()}


def to_group_form(event: Object) -> Object:
    """An Event of the core group as `events.k8s.io` has it; parts are shared."""
    return {GROUP_NAMES.get(key, key): value for key, value in event.items()}


def to_core_form(event: Object) -> Object:
    """An Event of `events.k8s.io` as the core group has it; parts are shared."""
    return {_CORE_NAMES.get(key, key): value for key, value in event.items()}
