"""Makes a kind's record from what is particular to it; conventions fill in the rest."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from types import MappingProxyType
from typing import Any

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME
from sampan.kubernetes.kinds.kind import Cause, Kind, NameForm, Object, Subresource
from sampan.kubernetes.kinds.object_metadata import check_metadata
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.kinds.selectable_fields import SelectableFields
from sampan.kubernetes.schema.definitions import definition_name

Rules = Callable[[Object, Object | None], Iterable[Cause]]
UPDATE_VERBS = ("get", "patch", "update")
MOST_CAUSES = 128
PROXY_VERBS = ("create", "delete", "get", "patch", "update")
_NOTHING_RENAMED: Mapping[str, str] = MappingProxyType({})


def no_defaults(_tree: Object) -> None:
    """For kinds that have none."""


def no_rules(_new: Object, _old: Object | None) -> Iterator[Cause]:
    """For kinds whose schema says it all."""
    return iter(())


def make(
    resource: Resource,
    *,
    rules: Rules = no_rules,
    default: Callable[[Object], None] = no_defaults,
    name_form: NameForm = "subdomain",
    status: bool = False,
    subresources: tuple[Subresource, ...] = (),
    selectable: tuple[str, ...] = (),
    renamed: Mapping[str, str] = _NOTHING_RENAMED,
    prepare: Callable[[Object, Object | None], None] | None = None,
    columns: Any = (NAME, AGE),
    **particular: Any,
) -> Kind:
    """A record. `rules` are those beyond metadata; `selectable` are paths such as `spec.nodeName`,
    `renamed` maps the names of further selectable fields to their paths.

    With `status` there is a `/status` that the main resource can't write.
    """
    if status:
        entry = Subresource("status", resource.kind, resource.group_version, UPDATE_VERBS)
        subresources = (entry, *subresources)

    fields = _fields(resource, selectable, renamed)

    def validate(new: Object, old: Object | None) -> list[Cause]:
        found = check_metadata(new, old, name_form, namespaced=resource.namespaced)
        # Nobody reads more, and an object of millions of mistakes must not cost more.
        return list(islice(chain(found, rules(new, old)), MOST_CAUSES))

    return Kind(
        resource=resource,
        definition=definition_name(resource.group, resource.version, resource.kind),
        singular=resource.kind.lower(),
        columns=columns,
        default=default,
        validate=validate,
        prepare=prepare or (strategies.keep_status if status else strategies.keep_all),
        prepare_status=particular.pop("prepare_status", strategies.status_with_labels),
        selectable=fields.of,
        decode_selectable=fields.decode,
        subresources=subresources,
        **particular,
    )


def make_review(resource: Resource) -> Kind:
    """A kind that is a question: it is posted, answered, and not kept."""
    fields = _fields(resource, (), _NOTHING_RENAMED)
    return Kind(
        resource=resource,
        definition=definition_name(resource.group, resource.version, resource.kind),
        singular=resource.kind.lower(),
        columns=(NAME, AGE),
        default=no_defaults,
        validate=lambda _new, _old: [],
        prepare=strategies.keep_all,
        prepare_status=strategies.keep_all,
        selectable=fields.of,
        decode_selectable=fields.decode,
        verbs=("create",),
        stored=False,
    )


def _fields(
    resource: Resource, extra: tuple[str, ...], renamed: Mapping[str, str]
) -> SelectableFields:
    namespace = ("metadata.namespace",) if resource.namespaced else ()
    return SelectableFields(("metadata.name", *namespace, *extra), renamed)
