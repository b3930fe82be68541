"""Authentication as the files beside the certificates say."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sampan.control.api.attributes import attributes_of
from sampan.control.api.authentication.configuration import InvalidConfiguration
from sampan.control.api.authentication.configured import configured
from sampan.control.api.authentication.static_tokens import InvalidTokenFile
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.authority import generate_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.message import Request, Response
from sampan.store.memory import MemoryStore

HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"


def identify(folder: Path, path: str, token: str = "", **files: str) -> str:
    """The user that a request is taken for, given the contents of the two files."""
    named: dict[str, Path] = {}
    for name, content in files.items():
        named[name] = folder / name
        named[name].write_text(content)
    settings = msgspec.structs.replace(settings_of(Instance()), **named)
    signer = TokenSigner(generate_key(), settings.issuer)
    seen: list[str] = []

    async def following(call: Call) -> Response:
        seen.append(call.identity.name)
        return Response()

    async def run() -> None:
        cache = WatchCache(MemoryStore(), ())
        _, stage = configured(cache, signer, settings, lambda: datetime.now(UTC))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        request = Request(method="GET", path=path, headers=headers)
        await stage(Call(request, attributes_of(request)), following)

    asyncio.run(run())
    return seen[0]


def test_a_token_of_the_file_is_taken(tmp_path: Path) -> None:
    file = "secret,jane,u-1"
    assert identify(tmp_path, "/api", "secret", token_file=file) == "jane"
    with pytest.raises(Refused):
        identify(tmp_path, "/api", "other", token_file=file)


@pytest.mark.parametrize(
    ("anonymous", "path", "is_let_in"),
    [
        ("enabled: false", "/healthz", False),
        ("enabled: true", "/api", True),
        ("{enabled: true, conditions: [{path: /livez}]}", "/livez", True),
        ("{enabled: true, conditions: [{path: /livez}]}", "/healthz", False),
        ("{enabled: true, conditions: [{path: /livez}]}", "/livez/ping", False),
    ],
)
def test_the_file_says_where_nobody_needs_a_name(
    tmp_path: Path, anonymous: str, path: str, is_let_in: bool
) -> None:
    given = anonymous if anonymous.startswith("{") else f"{{{anonymous}}}"
    file = f"{HEAD}anonymous: {given}\n"
    if is_let_in:
        assert identify(tmp_path, path, authentication_file=file) == "system:anonymous"
    else:
        with pytest.raises(Refused):
            identify(tmp_path, path, authentication_file=file)


@pytest.mark.parametrize(
    "content", ["", "[", HEAD + "surprise: 1", HEAD.replace("v1\n", "v9\n"), "kind: Pod"]
)
def test_a_file_that_is_not_understood_stops_the_server(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidConfiguration):
        identify(tmp_path, "/api", authentication_file=content)
    with pytest.raises(InvalidTokenFile):
        identify(tmp_path, "/api", token_file="only-a-token")
