"""The methods of timestamps and durations."""

from functools import partial

from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.times import PARTS, SPANS, part_of, whole_units
from sampan.kubernetes.expressions.types import DURATION, INT, STRING, TIMESTAMP
from sampan.kubernetes.expressions.values import Duration, Timestamp

LIBRARY = Library()


def _part(moment: Timestamp, zone: str = "", *, name: str) -> int:
    return part_of(moment, name, zone)


def _units(span: Duration, *, name: str) -> int:
    return whole_units(span, name)


for _name in (*PARTS, "getMilliseconds"):
    LIBRARY.method(
        _name,
        Overload((TIMESTAMP,), INT, partial(_part, name=_name)),
        Overload((TIMESTAMP, STRING), INT, partial(_part, name=_name)),
    )
for _name in SPANS:
    LIBRARY.method(_name, Overload((DURATION,), INT, partial(_units, name=_name)))
