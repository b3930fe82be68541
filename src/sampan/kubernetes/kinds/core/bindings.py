"""Binding: the decision on which node a pod runs. It is posted, and not kept."""

from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import BINDINGS

BINDING = make(BINDINGS, verbs=("create",), stored=False)
