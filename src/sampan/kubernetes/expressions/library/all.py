"""The language with all of its libraries."""

from sampan.kubernetes.expressions.functions import Language
from sampan.kubernetes.expressions.library import (
    addresses,
    authorizers,
    conversions,
    json_patches,
    lists,
    moments,
    named_formats,
    operators,
    optionals,
    patterns,
    quantities,
    texts,
    urls,
    versions,
)

LANGUAGE = Language(
    module.LIBRARY
    for module in (
        operators,
        conversions,
        moments,
        texts,
        lists,
        optionals,
        patterns,
        quantities,
        versions,
        addresses,
        urls,
        named_formats,
        json_patches,
        authorizers,
    )
)
"""What Kubernetes 1.37 offers to expressions (pkg/cel/environment/base.go), and cel-go's
`cel.bind`, `reverse` and `strings.quote`."""
