"""Scale: what `/scale` of other kinds shows. It has no place and no path of its own."""

from sampan.kubernetes.kinds.columns import AGE, NAME, number, part
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import Resource

SCALE = make(
    Resource("autoscaling", "v1", "scales", "Scale"),
    columns=(
        NAME,
        number(
            "Desired",
            lambda scale: part(scale, "spec", "replicas") or 0,
            about="How many there shall be.",
        ),
        number(
            "Available",
            lambda scale: part(scale, "status", "replicas") or 0,
            about="How many there are.",
        ),
        AGE,
    ),
)
