"""A cluster's credentials: made once, private, renewed in time, and good for real TLS."""

import asyncio
import base64
import json
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sampan.foundation.pki.authority import KeyPair
from sampan.foundation.pki.cluster import ClusterCredentials, prepare
from sampan.foundation.pki.contexts import KeyPairPaths, client_context, server_context
from sampan.foundation.pki.kubeconfig import kubeconfig, render
from sampan.foundation.settings import Instance

INSTANCE = Instance(name="test")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def credentials(tmp_path: Path) -> ClusterCredentials:
    return prepare(tmp_path / "pki", INSTANCE, now())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_preparing_again_changes_nothing(credentials: ClusterCredentials) -> None:
    credentials.node_credentials(1, "node-1", now())
    before = contents(credentials.folder)
    again = prepare(credentials.folder, INSTANCE, now())
    again.node_credentials(1, "node-1", now())
    assert contents(credentials.folder) == before


def test_keys_and_folders_are_private(credentials: ClusterCredentials) -> None:
    credentials.node_credentials(2, "node-2", now())
    for path in (credentials.folder, *credentials.folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o644 if path.suffix == ".crt" else 0o600)


def test_what_is_about_to_expire_is_renewed_by_the_same_authority(
    credentials: ClusterCredentials,
) -> None:
    before = contents(credentials.folder)
    prepare(credentials.folder, INSTANCE, now() + timedelta(days=340))
    after = contents(credentials.folder)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        f"{name}.{end}"
        for name in ("api-server", "administrator", "kubelet-client", "front-proxy-client")
        for end in ("crt", "key")
    }


@pytest.mark.parametrize("lost", ["ca.crt", "api-server.key", "administrator.crt"])
def test_what_was_lost_is_made_again(credentials: ClusterCredentials, lost: str) -> None:
    authority_key = credentials.authority_key.read_bytes()
    (credentials.folder / lost).unlink()
    prepare(credentials.folder, INSTANCE, now())
    assert credentials.authority_key.read_bytes() == authority_key
    assert shake_hands(credentials.api_server, credentials) is not None


@pytest.mark.parametrize("name", ["../x", "", "a/b", "A", "a..b", "x" * 300])
def test_a_name_that_is_no_nodes_is_refused(credentials: ClusterCredentials, name: str) -> None:
    with pytest.raises(ValueError, match="name of a node"):
        credentials.node_credentials(1, name, now())


def shake_hands(
    server: KeyPairPaths,
    credentials: ClusterCredentials,
    client: KeyPairPaths | None = None,
    *,
    name: str = "kubernetes.default.svc",
    require_client: bool = False,
) -> tuple[tuple[tuple[str, str], ...], ...] | None:
    """The subject that the server saw of the client after a real exchange; () for none."""

    async def main() -> tuple[tuple[tuple[str, str], ...], ...] | None:
        seen: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.set_result(writer.get_extra_info("peercert"))
            writer.write(await reader.readexactly(4))
            await writer.drain()
            writer.close()

        context = server_context(server, credentials.authority, require_client=require_client)
        listener = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = listener.sockets[0].getsockname()[1]
        async with listener:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1",
                port,
                ssl=client_context(credentials.authority, client),
                server_hostname=name,
            )
            writer.write(b"ping")
            try:
                assert await reader.readexactly(4) == b"ping"
            finally:
                writer.transport.abort()
        certificate = seen.result()
        return certificate["subject"] if certificate else ()  # type: ignore[index]

    return asyncio.run(main())


@pytest.mark.parametrize(
    "name", ["localhost", "kubernetes.default.svc.cluster.local", "127.0.0.1", "service", "node"]
)
def test_the_api_answers_to_all_its_names(credentials: ClusterCredentials, name: str) -> None:
    addresses = {
        "service": str(INSTANCE.kubernetes_service_address),
        "node": str(INSTANCE.node_address(1)),
    }
    assert shake_hands(credentials.api_server, credentials, name=addresses.get(name, name)) == ()


def test_the_server_sees_who_the_client_is(credentials: ClusterCredentials) -> None:
    node = credentials.node_credentials(3, "node-3", now())
    subject = shake_hands(credentials.api_server, credentials, node.client)
    assert subject == (
        (("organizationName", "system:nodes"),),
        (("commonName", "system:node:node-3"),),
    )
    subject = shake_hands(
        node.server,
        credentials,
        credentials.kubelet_client,
        name=str(INSTANCE.node_address(3)),
        require_client=True,
    )
    assert subject is not None
    assert (("commonName", "kube-apiserver-kubelet-client"),) in subject


def test_a_server_that_requires_a_client_refuses_none(credentials: ClusterCredentials) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        shake_hands(credentials.api_server, credentials, require_client=True)


def test_a_client_refuses_another_cluster_and_another_name(
    credentials: ClusterCredentials, tmp_path: Path
) -> None:
    stranger = prepare(tmp_path / "other", INSTANCE, now())
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(stranger.api_server, credentials)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(credentials.api_server, credentials, name="example.org")


def test_a_kubeconfig_holds_everything_that_a_client_needs() -> None:
    document = kubeconfig(
        server="https://127.0.0.1:6443",
        context="sampan",
        authority=b"authority",
        administrator=KeyPair(b"certificate", b"key"),
    )
    assert json.loads(render(document)) == document
    assert document["current-context"] == document["contexts"][0]["name"] == "sampan"
    user = document["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == b"key"
