"""Names of images and their full forms."""

import pytest

from sampan.engine.images.reference import InvalidReference, familiar, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("hello", "docker.io/library/hello:latest"),
        ("hello:2", "docker.io/library/hello:2"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/hello", "docker.io/hello:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("host:5000/a/b:v1", "host:5000/a/b:v1"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        (f"hello@{DIGEST}", f"docker.io/library/hello@{DIGEST}"),
        (f"hello:1@{DIGEST}", f"docker.io/library/hello:1@{DIGEST}"),
    ],
)
def test_the_full_form_of_a_name(written: str, full: str) -> None:
    assert str(parse_reference(written)) == full


@pytest.mark.parametrize(
    "written",
    ["", "Hello", "a//b", "../x", "a:b:c", "x:", "hello@sha256:12", "a b", "-a", "x" * 300, "/x"],
)
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(InvalidReference):
        parse_reference(written)


def test_a_name_as_users_write_it() -> None:
    assert familiar("docker.io/library/hello:latest") == "hello:latest"
    assert familiar("docker.io/team/app:1") == "team/app:1"
    assert familiar("host:5000/app:1") == "host:5000/app:1"
