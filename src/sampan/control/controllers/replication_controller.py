"""Keeps as many pods of a template running as a ReplicationController asks for: see `replicas`.

Its selector is a plain map of labels; nothing is above it, so that nobody else's pods matter to
where it lets pods go.
"""

from sampan.control.controllers import replicas
from sampan.control.controllers.claims import selector_of
from sampan.kubernetes.kinds.resource import REPLICATION_CONTROLLERS

KIND = replicas.Replicated(
    resource=REPLICATION_CONTROLLERS,
    cache=lambda caches: caches.replication_controllers,
    selector=lambda controller: selector_of({"matchLabels": controller.spec.selector}),
    related=lambda _caches, controller: (controller,),
    counts_terminating=False,
)
CONTROLLER = replicas.controller("replication-controller", KIND)
