"""The words in which a controller says what it wants done.

A plan is a value: controllers make one out of what they see, and only the runner carries it
out. Every write names the object it means by uid, and where it matters by resourceVersion,
so that a plan made from a stale view is refused by the API instead of doing harm.
This module must know no controller, no client and no clock.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from sampan.kubernetes.client.contract import Object, PatchKind
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.metadata import Metadata, OwnerReference

Propagation = Literal["", "Background", "Foreground", "Orphan"]


class Reference(msgspec.Struct, frozen=True):
    """Which object an event is about."""

    resource: Resource
    namespace: str
    name: str
    uid: str


class Report(msgspec.Struct, frozen=True):
    """An event to record. In `message`, `{name}` stands for the name of the object that was
    written and `{error}` for the API's refusal."""

    about: Reference
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """Create an object. With a generateName and no name the runner chooses the name, so that a
    create whose answer was lost can be repeated without making a second object."""

    resource: Resource
    body: Object
    namespace: str = ""
    success: Report | None = None
    failure: Report | None = None


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A merge patch (unless `kind` says otherwise) of the object with exactly this uid. With
    `may_be_gone`, an object that has gone or was replaced counts as done."""

    resource: Resource
    name: str
    uid: str
    body: Object
    namespace: str = ""
    resource_version: str = ""
    subresource: str = ""
    kind: PatchKind = "merge"
    may_be_gone: bool = False
    success: Report | None = None
    failure: Report | None = None


def status_patch(resource: Resource, metadata: Metadata, status: Object) -> Patch:
    """The fields of `status` put into an object's status."""
    return Patch(
        resource=resource,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        subresource="status",
        body={"status": status},
    )


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """Replace an object, or put to a subresource of it."""

    resource: Resource
    body: Object
    namespace: str = ""
    subresource: str = ""
    success: Report | None = None
    failure: Report | None = None


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Delete the object with exactly this uid; one that is gone already counts as done."""

    resource: Resource
    name: str
    uid: str
    namespace: str = ""
    resource_version: str = ""
    grace_seconds: int | None = None
    propagation: Propagation = ""
    success: Report | None = None
    failure: Report | None = None


def deletion(
    resource: Resource,
    metadata: Metadata,
    *,
    unchanged: bool = False,
    grace_seconds: int | None = None,
    success: Report | None = None,
    failure: Report | None = None,
) -> Delete:
    """The deletion of an object; with `unchanged`, only in the version that was seen."""
    return Delete(
        resource=resource,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version if unchanged else "",
        grace_seconds=grace_seconds,
        success=success,
        failure=failure,
    )


class Get(msgspec.Struct, frozen=True):
    """A question to the API itself, past the cache: one object's metadata, or None."""

    resource: Resource
    name: str
    namespace: str = ""


class List(msgspec.Struct, frozen=True):
    """A question to the API itself, past the cache: the metadata of a namespace's objects."""

    resource: Resource
    namespace: str


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question to the API: whether somebody may do something to a resource of the cluster."""

    user: str
    verb: str
    resource: Resource
    subresource: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class HeadMetadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    deletion_timestamp: str | None = None


class Head(msgspec.Struct, frozen=True):
    """An object of which only its name, its owners and its end matter."""

    metadata: HeadMetadata


Action = Create | Patch | Update | Delete
Read = Get | List
Answers = Mapping[Read, tuple[Head, ...]]
Permissions = Mapping[Question, bool]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now, in order; a refused action ends the plan and the controller plans again.

    A plan with `reads` or `questions` does nothing yet: the runner asks the API and has it made
    again with the answers. `again_after` asks for another plan in so many seconds, whatever
    happens.
    """

    actions: tuple[Action, ...] = ()
    reports: tuple[Report, ...] = ()
    reads: tuple[Read, ...] = ()
    questions: tuple[Question, ...] = ()
    again_after: float | None = None


NOTHING = Plan()


def reference(resource: Resource, metadata: Metadata) -> Reference:
    """The reference to an object that a view shows."""
    return Reference(resource, metadata.namespace, metadata.name, metadata.uid)


def owner_reference(resource: Resource, metadata: Metadata) -> Object:
    """The ownerReference that makes an object its owner's, and its owner its controller."""
    return {
        "apiVersion": resource.group_version,
        "kind": resource.kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
