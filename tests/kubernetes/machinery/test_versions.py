"""Which versions and groups clients should prefer."""

from sampan.kubernetes.machinery.versions import groups_in_order, preferred_first


def test_versions_are_ordered_by_stability_and_age() -> None:
    given = ["v1alpha1", "foo1", "v1", "v2beta1", "v10", "v2", "v1beta2", "v2beta2", "foo10"]
    wanted = ["v10", "v2", "v1", "v2beta2", "v2beta1", "v1beta2", "v1alpha1", "foo1", "foo10"]
    assert preferred_first(given) == wanted


def test_built_in_groups_come_before_others() -> None:
    assert groups_in_order(["b.example", "batch", "a.example", "apps", ""]) == [
        "",
        "apps",
        "batch",
        "a.example",
        "b.example",
    ]
