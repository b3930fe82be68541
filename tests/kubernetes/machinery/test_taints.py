"""Which tolerations match which taints."""

import pytest

from sampan.control.controllers.views import Taint, Toleration
from sampan.kubernetes.machinery.taints import tolerates

GPU = Taint("gpu", "NoSchedule", "yes")


@pytest.mark.parametrize(
    ("toleration", "matches"),
    [
        (Toleration("gpu", "Equal", "yes", "NoSchedule"), True),
        (Toleration("gpu", "Equal", "yes"), True),
        (Toleration("gpu", "Equal", "no"), False),
        (Toleration("gpu", "Equal", "yes", "NoExecute"), False),
        (Toleration("gpu", "Exists"), True),
        (Toleration("", "Exists"), True),
        (Toleration("", "Exists", "", "NoExecute"), False),
        (Toleration("disk", "Exists"), False),
        (Toleration("", "Equal", "yes"), False),
    ],
)
def test_a_toleration_matches_what_it_names(toleration: Toleration, matches: bool) -> None:
    assert tolerates(toleration, GPU) is matches
