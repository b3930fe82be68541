"""A CustomResourceDefinition as the server reads it: frozen views of what it acts on."""

from typing import Any

import msgspec

from sampan.control.api.outgoing.webhook_caller import WebhookClient
from sampan.kubernetes.kinds.kind import Object


class _View(msgspec.Struct, frozen=True, rename="camel"):
    """Unknown fields are passed over."""


class Names(_View, frozen=True):
    plural: str = ""
    kind: str = ""
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class PrinterColumn(_View, frozen=True):
    name: str
    type: str
    json_path: str
    format: str = ""
    description: str = ""
    priority: int = 0


class ScalePaths(_View, frozen=True):
    spec_replicas_path: str
    status_replicas_path: str
    label_selector_path: str = ""


class Subresources(_View, frozen=True):
    status: dict[str, Any] | None = None
    scale: ScalePaths | None = None


class SelectableField(_View, frozen=True):
    json_path: str


class Validation(_View, frozen=True):
    schema: Object | None = msgspec.field(name="openAPIV3Schema", default=None)


class Version(_View, frozen=True):
    name: str
    served: bool
    storage: bool
    deprecated: bool = False
    deprecation_warning: str | None = None
    schema: Validation = Validation()
    subresources: Subresources = Subresources()
    additional_printer_columns: tuple[PrinterColumn, ...] = ()
    selectable_fields: tuple[SelectableField, ...] = ()


class Webhook(_View, frozen=True):
    client_config: WebhookClient
    conversion_review_versions: tuple[str, ...]


class ConversionSettings(_View, frozen=True):
    strategy: str = "None"
    webhook: Webhook | None = None


class Spec(_View, frozen=True):
    group: str
    names: Names
    scope: str
    versions: tuple[Version, ...]
    conversion: ConversionSettings = ConversionSettings()


class Condition(_View, frozen=True):
    type: str
    status: str


class Status(_View, frozen=True):
    accepted_names: Names = Names()
    conditions: tuple[Condition, ...] = ()


class Metadata(_View, frozen=True):
    name: str
    uid: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] = ()
    annotations: dict[str, str] = {}


class Definition(_View, frozen=True):
    """One definition that has passed validation."""

    metadata: Metadata
    spec: Spec
    status: Status = Status()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def is_terminating(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    @property
    def storage(self) -> Version:
        """The version in which objects are stored."""
        return next(version for version in self.spec.versions if version.storage)

    def has(self, condition: str) -> bool:
        """Whether a condition is true."""
        return any(it.type == condition and it.status == "True" for it in self.status.conditions)


class _Group(_View, frozen=True):
    group: str


class Claim(_View, frozen=True):
    """The names that a definition has, without what it says of its versions."""

    spec: _Group
    status: Status = Status()


_decoder = msgspec.json.Decoder(Definition)
_claim_decoder = msgspec.json.Decoder(Claim)


def definition_of(data: bytes) -> Definition:
    """Read a definition's JSON. Raises msgspec.DecodeError."""
    return _decoder.decode(data)


def with_status(definition: Definition, status: Object) -> Definition:
    """The definition with another status."""
    return msgspec.structs.replace(definition, status=msgspec.convert(status, Status))


def claim_of(data: bytes) -> Claim:
    """Read the names of a definition's JSON. Raises msgspec.DecodeError."""
    return _claim_decoder.decode(data)
