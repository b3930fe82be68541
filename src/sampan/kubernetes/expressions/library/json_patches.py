"""What mutations by JSON patch need: `jsonpatch.escapeKey` (RFC 6901, section 3)."""

from sampan.kubernetes.expressions.budget import traversal
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.types import STRING

LIBRARY = Library()
LIBRARY.function(
    "jsonpatch.escapeKey",
    Overload(
        (STRING,),
        STRING,
        lambda key: key.replace("~", "~0").replace("/", "~1"),
        cost=lambda key: max(1, traversal(key)),
        size=lambda size: 2 * size,
    ),
)
