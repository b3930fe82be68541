"""What goes when an image is removed."""

import pytest

from sampan.engine.contract import ImageInUse
from sampan.engine.images.removal import Removal, Standing, may_go_with_child, plan_removal

IDENTIFIER = "sha256:" + "ab" * 32
TAG, OTHER = "docker.io/library/app:1", "docker.io/library/app:2"
ELSEWHERE = "host:5000/app:1"
DIGEST = "docker.io/library/app@sha256:" + "cd" * 32


def standing(**fields: object) -> Standing:
    return Standing(identifier=IDENTIFIER, **{"tags": (TAG,), **fields})


@pytest.mark.parametrize(
    ("image", "names", "is_whole"),
    [
        (standing(), (TAG,), True),
        (standing(tags=(TAG, OTHER)), (TAG,), False),
        (standing(digests=(DIGEST,)), (TAG, DIGEST), True),
        (standing(tags=(TAG, OTHER), digests=(DIGEST,)), (TAG,), False),
        (standing(tags=(TAG, ELSEWHERE), digests=(DIGEST,)), (TAG, DIGEST), False),
        (standing(has_children=True), (TAG,), False),
        (standing(tags=(TAG, OTHER), running=("c1",)), (TAG,), False),
    ],
)
def test_a_name_goes_and_the_image_with_its_last(
    image: Standing, names: tuple[str, ...], is_whole: bool
) -> None:
    assert plan_removal("app:1", TAG, image, force=False) == Removal(names, is_whole)


@pytest.mark.parametrize(
    ("image", "force", "message"),
    [
        (
            standing(running=("c" * 64,)),
            True,
            "(cannot be forced) - image is being used by running",
        ),
        (standing(stopped=("c" * 64,)), False, "(must be forced) - image is being used by stopped"),
        (standing(tags=(TAG, OTHER)), False, "(must be forced) - image is referenced in multiple"),
        (standing(has_children=True), True, "(cannot be forced) - image has dependent child"),
    ],
)
def test_why_an_identifier_may_not_go(image: Standing, force: bool, message: str) -> None:
    with pytest.raises(ImageInUse) as caught:
        plan_removal("abab", "", image, force=force)
    assert str(caught.value).startswith("conflict: unable to delete abababababab (")
    assert message in str(caught.value)


def test_the_last_name_of_an_image_in_use_is_held() -> None:
    image = standing(stopped=("c" * 64,))
    with pytest.raises(ImageInUse) as caught:
        plan_removal("app:1", TAG, image, force=False)
    assert str(caught.value) == (
        'conflict: unable to remove repository reference "app:1" (must force) - container '
        "cccccccccccc is using its referenced image abababababab"
    )
    assert plan_removal("app:1", TAG, image, force=True) == Removal((TAG,), True)
    running = standing(running=("c" * 64,))
    assert plan_removal("app:1", TAG, running, force=True) == Removal((TAG,), False)


def test_an_identifier_takes_the_names_of_one_repository_along() -> None:
    image = standing(digests=(DIGEST,))
    assert plan_removal("abab", "", image, force=False) == Removal((TAG, DIGEST), True)
    both = standing(tags=(TAG, ELSEWHERE))
    assert plan_removal("abab", "", both, force=True) == Removal((TAG, ELSEWHERE), True)


def test_a_parent_goes_when_nothing_else_needs_it() -> None:
    assert may_go_with_child(standing(tags=()))
    assert not may_go_with_child(standing())
    assert not may_go_with_child(standing(tags=(), has_children=True))
    assert not may_go_with_child(standing(tags=(), stopped=("c",)))
