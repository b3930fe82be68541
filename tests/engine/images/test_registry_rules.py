"""Registries' addresses, challenges, refusals and platforms: what is decided without asking."""

from pathlib import Path

import pytest

from sampan.engine.contract import Forbidden, InvalidConfiguration, NotFound
from sampan.engine.images.documents import Descriptor, Platform
from sampan.engine.images.platforms import chosen_of, fits, parse_platform, platform_text
from sampan.engine.images.registry.challenges import Challenge, parse_challenges
from sampan.engine.images.registry.refusals import pull_refused, push_refused, refusal_of
from sampan.engine.images.registry.registries import registry_of
from sampan.engine.images.registry.settings import (
    NoRegistry,
    RegistrySettings,
    SettingsFile,
    read_settings,
)


@pytest.mark.parametrize(
    ("registry", "urls"),
    [
        ("host.example", ["https://host.example"]),
        ("127.0.0.1:5000", ["https://127.0.0.1:5000", "http://127.0.0.1:5000"]),
        ("127.9.9.9", ["https://127.9.9.9", "http://127.9.9.9"]),
        ("localhost:5000", ["https://localhost:5000", "http://localhost:5000"]),
        ("[::1]:5000", ["https://[::1]:5000", "http://[::1]:5000"]),
        ("local.example:5000", ["https://local.example:5000", "http://local.example:5000"]),
        ("10.1.2.3", ["https://10.1.2.3", "http://10.1.2.3"]),
        ("11.1.2.3", ["https://11.1.2.3"]),
        ("moved.example", ["https://other.example"]),
    ],
)
def test_where_a_registry_is_looked_for(registry: str, urls: list[str]) -> None:
    settings = RegistrySettings(
        insecure=("local.example:5000", "10.0.0.0/8"),
        endpoints={"moved.example": "https://other.example/"},
    )
    found = list(settings.candidates(registry, with_mirrors=True))
    assert [it.url for it in found] == urls
    assert all(it.verify == (len(urls) == 1) for it in found)


def test_mirrors_come_first_and_only_for_pulling() -> None:
    settings = RegistrySettings(mirrors={"a.example": ("http://m1.example", "https://m2.example")})
    found = list(settings.candidates("a.example", with_mirrors=True))
    assert [(it.url, it.is_mirror) for it in found] == [
        ("http://m1.example", True),
        ("https://m2.example", True),
        ("https://a.example", False),
    ]
    assert len(list(settings.candidates("a.example", with_mirrors=False))) == 1


def test_settings_are_read_from_a_file(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none") == RegistrySettings()
    (tmp_path / "some").write_text("insecure: [a.example]\nmirrors:\n  b: [https://c.example]\n")
    assert read_settings(tmp_path / "some") == RegistrySettings(
        insecure=("a.example",), mirrors={"b": ("https://c.example",)}
    )
    (tmp_path / "wrong").write_text("insekure: [a]\n")
    with pytest.raises(InvalidConfiguration):
        read_settings(tmp_path / "wrong")


def test_names_without_a_registry_need_one_to_be_said(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "registries.yaml")
    with pytest.raises(NoRegistry) as refused:
        file.addresses("docker.io", "team/app:2", with_mirrors=True)
    assert str(refused.value) == (
        '"team/app:2" names no registry and none is configured: write '
        f"`endpoints: {{docker.io: https://ADDRESS}}` into {file.path}, "
        "or name one: ADDRESS/team/app:2"
    )
    with pytest.raises(NoRegistry, match="no registry is named and none is configured"):
        file.addresses("docker.io", with_mirrors=False)
    assert [it.url for it in file.addresses("a.example", "a.example/x", with_mirrors=True)] == [
        "https://a.example"
    ]
    # What the message says is what helps, and at once.
    file.path.write_text("endpoints: {docker.io: https://b.example}\n")
    assert [it.url for it in file.addresses("docker.io", "x", with_mirrors=True)] == [
        "https://b.example"
    ]


def test_a_mirror_is_enough_to_pull_but_not_to_push(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "registries.yaml")
    file.path.write_text("mirrors: {docker.io: [https://m.example]}\n")
    found = file.addresses("docker.io", "x", with_mirrors=True)
    assert [(it.url, it.is_mirror) for it in found] == [("https://m.example", True)]
    with pytest.raises(NoRegistry):
        file.addresses("docker.io", "x", with_mirrors=False)


def test_challenges() -> None:
    bearer = 'Bearer realm="https://a.example/t",service="s",scope="repository:x:pull,push"'
    assert parse_challenges(['Basic realm="x"', bearer, "Negotiate abc"]) == [
        Challenge("bearer", "https://a.example/t", "s", "repository:x:pull,push"),
        Challenge("basic", "x"),
    ]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            404,
            b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}',
            "manifest for app:1 not found: manifest unknown: manifest unknown",
        ),
        (
            401,
            b"",
            "pull access denied for app, repository does not exist or may require 'docker login': ",
        ),
        (
            404,
            b'{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}',
            "pull access denied for app",
        ),
    ],
)
def test_refusals_of_pulls(status: int, body: bytes, message: str) -> None:
    error = pull_refused(refusal_of(status, body, 'Get "url"'), "app:1", "app")
    assert isinstance(error, NotFound)
    assert str(error).startswith(message)


def test_refusals_of_pushes() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"requested access is denied\\u001b[2J"}]}'
    error = push_refused(refusal_of(403, body, ""))
    assert isinstance(error, Forbidden)
    assert str(error) == "denied: requested access is denied [2J"


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform(os="linux", architecture="amd64")),
        ("linux/aarch64", Platform(os="linux", architecture="arm64")),
        ("linux/arm/v7", Platform(os="linux", architecture="arm", variant="v7")),
        ("arm64", Platform(os="linux", architecture="arm64")),
    ],
)
def test_platforms(text: str, platform: Platform) -> None:
    assert parse_platform(text) == platform
    assert parse_platform(platform_text(platform)) == platform


def test_which_of_an_index_is_chosen() -> None:
    def offered(text: str, digest: str) -> Descriptor:
        return Descriptor(
            media_type="x", digest=digest, size=1, platform=parse_platform(text) if text else None
        )

    manifests = [offered("", "none"), offered("linux/arm64/v8", "arm"), offered("amd64", "amd")]
    assert chosen_of(manifests, parse_platform("linux/arm64")) is manifests[1]
    assert chosen_of(manifests, parse_platform("linux/amd64")) is manifests[2]
    assert chosen_of(manifests, parse_platform("linux/riscv64")) is manifests[0]
    assert not fits(parse_platform("linux/arm/v6"), parse_platform("linux/arm/v7"))
    with pytest.raises(InvalidConfiguration):
        parse_platform("a/b/c/d")


@pytest.mark.parametrize(
    ("server", "registry"),
    [
        ("", "docker.io"),
        ("https://any.docker.io/v1/", "docker.io"),
        ("http://host:5000/v2/", "host:5000"),
        ("host.example", "host.example"),
    ],
)
def test_the_registry_that_a_server_is(server: str, registry: str) -> None:
    assert registry_of(server) == registry
