"""`/scale`: the number of replicas, in one form for every kind that has it (autoscaling/v1).

A Scale is a view: it is made of the object, and a write to it is a write of the object's number
of replicas. Who writes it owns that number through the subresource `scale`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.control.api.admission.write import Form as HookForm
from sampan.control.api.admission.write import Write
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms import rendering
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import WriteOptions, write_options
from sampan.control.api.writing import apply_configuration
from sampan.control.api.writing.apply_configuration import CONTENT_TYPE as APPLY_PATCH
from sampan.control.api.writing.applying import merged
from sampan.control.api.writing.decoding import Form, decoded, media_type, patched
from sampan.control.api.writing.field_management import MANAGED, updating_owners, writing
from sampan.control.api.writing.updating import check_same, patch_of, write_of
from sampan.control.api.writing.writer import Writer
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.autoscaling.scales import SCALE
from sampan.kubernetes.kinds.kind import Kind, Object, ScalePaths
from sampan.kubernetes.machinery import selectors, status
from sampan.kubernetes.machinery.causes import invalid
from sampan.kubernetes.machinery.managed_fields import APPLY
from sampan.kubernetes.schema.definitions import definition_name

_GROUP_VERSION, _KIND, _PART = "autoscaling/v1", "Scale", "scale"
_FORM = Form(definition_name("autoscaling", "v1", _KIND), _KIND, _GROUP_VERSION)
_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_SELECTOR_FIELDS = frozenset({"matchLabels", "matchExpressions"})
_decode = msgspec.json.Decoder(dict[str, Any]).decode

Change = Callable[[StoredObject], Write]


class Scale:
    """The handlers of get, update and patch."""

    def __init__(self, writer: Writer, cache: WatchCache, clock: rendering.Clock) -> None:
        self._writer = writer
        self._cache = cache
        self._clock = clock

    async def get(self, call: Call) -> Response:
        stored = self._cache.of(call.routed.resource).get(object_key(call))
        if stored is None:
            raise Refused(status.not_found(call.routed.resource, call.attributes.name))
        return self._answer(call, scale_of(call.routed, stored.decoded()))

    async def update(self, call: Call) -> Response:
        options = write_options(call.request, "UpdateOptions")
        body = await decoded(call, _FORM)
        check_same(call, body.tree)
        return await self._commit(
            call, self._scaled(call, lambda _now: body.tree, options), options
        )

    async def patch(self, call: Call) -> Response:
        if media_type(call.request) == APPLY_PATCH:
            return await self._apply(call)
        options = write_options(call.request, "PatchOptions")
        apply = await patch_of(call, _FORM.definition)
        raw = call.request.body

        def changed(now: Object) -> Object:
            tree = patched(call, _FORM, apply(now), raw).tree
            check_same(call, tree)
            return tree

        return await self._commit(call, self._scaled(call, changed, options), options)

    async def _apply(self, call: Call) -> Response:
        """Raises Refused: 404 for an object that isn't there, 409 for conflicts."""
        options = write_options(call.request, "PatchOptions", applies=True)
        config = await apply_configuration.decoded(call, _GROUP_VERSION)
        apply_configuration.hold_to_schema(_FORM, config)
        check_same(call, config)
        kind = call.routed

        def change(stored: StoredObject) -> Write:
            wanted = _parent_of(kind, config)
            made = writing(kind, options.manager, APPLY, _PART, self._clock())
            new = merged(kind, stored.decoded(), wanted, made, force=options.force)
            owners = new["metadata"].pop(MANAGED)
            _check_replicas(_at(new, kind.scale.replicas) or 0, call.attributes.name)
            return write_of(call, new, stored, [], lambda _write: owners)

        return await self._commit(call, change, options)

    def _scaled(
        self, call: Call, changed: Callable[[Object], Object], options: WriteOptions
    ) -> Change:
        kind = call.routed
        owners = updating_owners(options.manager, self._clock)

        def change(stored: StoredObject) -> Write:
            new = stored.decoded()
            wanted = changed(scale_of(kind, stored.decoded()))
            replicas = (wanted.get("spec") or {}).get("replicas", 0)
            _check_replicas(replicas, call.attributes.name)
            _put(new, kind.scale.replicas, replicas)
            given = wanted["metadata"]
            new["metadata"]["resourceVersion"] = given.get("resourceVersion", "")
            new["metadata"]["uid"] = given.get("uid") or new["metadata"]["uid"]
            return write_of(call, new, stored, [], owners)

        return change

    async def _commit(self, call: Call, change: Change, options: WriteOptions) -> Response:
        kind = call.routed

        async def reviewed(stored: StoredObject) -> Write:
            write = change(stored)
            await self._review(call, write, options)
            write.reviewed = True
            return write

        written = await self._writer.update(
            kind, object_key(call), reviewed, dry_run=options.dry_run
        )
        return self._answer(call, scale_of(kind, _decode(written.data)))

    def _answer(self, call: Call, scale: Object) -> Response:
        return rendering.one(SCALE, msgspec.json.encode(scale), call.request, self._clock)

    async def _review(self, call: Call, write: Write, options: WriteOptions) -> None:
        """Hooks see a Scale, and may change its number of replicas. Raises Refused."""
        kind, old = write.kind, write.old
        assert old is not None
        seen = Write(
            kind=kind,
            identity=write.identity,
            namespace=write.namespace,
            new=scale_of(kind, write.object),
            old=scale_of(kind, old),
            subresource=_PART,
            warnings=write.warnings,
            form=HookForm(_GROUP_VERSION, _KIND),
            name=call.attributes.name,
            dry_run=options.dry_run,
            request=call.request,
            annotations=call.annotations,
        )
        before = seen.object["spec"]["replicas"]
        await self._writer.review(seen)
        replicas = (seen.object.get("spec") or {}).get("replicas", 0)
        if replicas != before:
            _check_replicas(replicas, call.attributes.name)
            _put(write.object, kind.scale.replicas, replicas)


def scale_of(kind: Kind, tree: Object) -> Object:
    """The Scale that stands for an object."""
    paths = kind.scale
    return {
        "kind": _KIND,
        "apiVersion": _GROUP_VERSION,
        "metadata": {key: value for key, value in tree["metadata"].items() if key in _COPIED},
        "spec": {"replicas": _at(tree, paths.replicas) or 0},
        "status": {
            "replicas": _at(tree, paths.replicas_now) or 0,
            "selector": _selector(tree, paths),
        },
    }


def _selector(tree: Object, paths: ScalePaths) -> str:
    """The pods that are counted, as text; a kind keeps that text, or a selector."""
    given = _at(tree, paths.selector) if paths.selector else None
    if not isinstance(given, dict):
        return given if isinstance(given, str) else ""
    if not given.keys() <= _SELECTOR_FIELDS:
        given = {"matchLabels": given}
    selector = selectors.from_object(given)
    return selectors.show(selector) if selector and selector.requirements else ""


def _parent_of(kind: Kind, config: Object) -> Object:
    """The configuration of the object that a configuration of its Scale stands for."""
    resource = kind.resource
    wanted: Object = {
        "apiVersion": resource.group_version,
        "kind": resource.kind,
        "metadata": {key: config["metadata"][key] for key in _COPIED if key in config["metadata"]},
    }
    replicas = (config.get("spec") or {}).get("replicas")
    if replicas is not None:
        _put(wanted, kind.scale.replicas, replicas)
    return wanted


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _put(tree: Object, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        below = tree.get(name)
        tree[name] = below = below if isinstance(below, dict) else {}
        tree = below
    tree[path[-1]] = value


def _check_replicas(replicas: Any, name: str) -> None:
    if type(replicas) is not int or replicas < 0:
        cause = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise Refused(status.invalid("autoscaling", _KIND, name, [cause]))
