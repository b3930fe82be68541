"""What the server makes of the specs of new pods, remembered by the bytes that they come as.

Theory: pods come from templates, and a thousand of them bring the same spec. What the schema, the
defaults and the rules of admission that fill in make of it follows from those bytes, the namespace
and a few objects (`_FOLLOWED`) alone. It is made when the bytes come for the second time, by the
same functions as for any pod, and shared by all that follow, until one of those objects changes.
Whatever looks at the whole pod, at its name or at who writes it still looks at each.

Nobody may change the trees of a template: a pod that is to be changed gets a spec of its own first
(`Write.own_spec`).
"""

from collections.abc import Callable

import msgspec

from sampan.control.api.admission.write import Template, Write
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import (
    LIMIT_RANGES,
    PODS,
    PRIORITY_CLASSES,
    RUNTIME_CLASSES,
    SERVICE_ACCOUNTS,
)
from sampan.kubernetes.machinery import codecs, familiar
from sampan.kubernetes.schema import structure

MOST_BYTES = 1 << 20
_LARGEST = 16 * 1024
_MOST_SEEN = 4096
_FOLLOWED = (SERVICE_ACCOUNTS, LIMIT_RANGES, PRIORITY_CLASSES, RUNTIME_CLASSES)
"""Whatever the rules that fill in look at, beside the pod."""

_START = b'"spec":'
_NOBODY = Identity(name="")
_Key = tuple[str, bytes]


class _Body(msgspec.Struct):
    """The part of a body that is looked for; all else is passed over."""

    spec: msgspec.Raw = msgspec.Raw(b"")


_decode_body = msgspec.json.Decoder(_Body).decode


class Cut(msgspec.Struct, frozen=True):
    """A body without its spec, in whose place it has an empty one."""

    rest: bytes
    template: Template


class Templates:
    """Those that were seen of late. `fill` is the part of admission that fills in."""

    def __init__(self, cache: WatchCache, fill: Callable[[Write], None]) -> None:
        self._fill = fill
        self._made: dict[_Key, Template | None] = {}
        self._bytes = 0
        self._seen: dict[int, None] = {}
        cache.on_event(lambda _kind, _event: self._forget(), *_FOLLOWED)

    def cut(self, call: Call, body: bytes) -> Cut | None:
        """The template of a new object's JSON, and the rest of it; None when there is none."""
        kind, namespace = call.routed, call.attributes.namespace
        # What a node shows of pods that it runs by itself is filled in otherwise.
        if kind.resource != PODS or not namespace or node_name(call.identity):
            return None
        try:
            spec = bytes(_decode_body(body).spec)
        except (msgspec.DecodeError, RecursionError):
            return None
        start = body.find(_START) + len(_START)
        start += body[start : start + 1] == b" "
        if not spec.startswith(b"{") or not body.startswith(spec, start):
            return None
        template = self._template(kind, namespace, spec)
        if template is None:
            return None
        return Cut(b"%b{}%b" % (body[:start], body[start + len(spec) :]), template)

    def _template(self, kind: Kind, namespace: str, spec: bytes) -> Template | None:
        key = (namespace, spec)
        if key in self._made:
            return self._made[key]
        if len(spec) > _LARGEST or not self._came_before(key):
            return None
        if self._bytes + len(spec) > MOST_BYTES:
            self._forget()
        self._bytes += len(spec)
        made = self._made[key] = template_of(kind, namespace, spec, self._fill)
        return made

    def _came_before(self, key: _Key) -> bool:
        mark = hash(key)
        if mark in self._seen:
            return True
        if len(self._seen) == _MOST_SEEN:
            self._seen.clear()
        self._seen[mark] = None
        return False

    def _forget(self) -> None:
        for template in self._made.values():
            if template is not None:
                familiar.release(template.defaulted)
                familiar.release(template.finished)
        self._made.clear()
        self._bytes = 0


def template_of(
    kind: Kind, namespace: str, spec: bytes, fill: Callable[[Write], None]
) -> Template | None:
    """What becomes of the spec of a new pod; None where that is more than another spec: where it
    is refused or complained of, or something is said of it elsewhere."""
    try:
        decoded = codecs.decode_object(spec)
        pod: Object = {"metadata": {}, "spec": decoded.tree}
        findings = structure.check(kind.definition, pod)
        if decoded.duplicates or findings.unknown or findings.causes:
            return None
        kind.default(pod)
        defaulted = _copy(pod["spec"])
        write = Write(kind=kind, identity=_NOBODY, namespace=namespace, new=pod)
        fill(write)
    except (codecs.InvalidBody, structure.WrongType, Refused):
        return None
    finished = _copy(pod["spec"])
    # The defaults are filled in once more when a name is generated.
    kind.default(pod)
    if pod != {"metadata": {}, "spec": finished} or write.warnings or write.annotations:
        return None
    familiar.keep(defaulted)
    return Template(defaulted, finished, familiar.keep(finished))


def _copy(spec: Object) -> Object:
    copy: Object = msgspec.json.decode(codecs.encode(spec))
    return copy
