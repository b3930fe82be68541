"""Which store a server opens, and what becomes of its values when their keys change."""

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.local_instance import LocalInstance
from tests.store.conftest import etcd  # noqa: F401 - a fixture
from tests.store.etcd_process import EtcdMember

from sampan.daemon.server_store import ServerStore
from sampan.foundation import encryption_configuration as encryption
from sampan.foundation.datastore import InvalidDatastore
from sampan.foundation.encryption_configuration import InvalidEncryption
from sampan.foundation.settings import Instance
from sampan.store.etcd import EtcdStore
from sampan.store.sqlite import SqliteStore

SECRET = b"/core/secrets/shop/password"


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return LocalInstance(folder=tmp_path)


def rotate(instance: Instance) -> None:
    path = encryption.path_of(instance)
    made = encryption.rotated(encryption.read(path), os.urandom(32), datetime.now(UTC))
    encryption.write(path, made)


async def record_of(instance: Instance, keys: tuple[str, ...]) -> encryption.Record:
    """What the server notes once it has used these keys."""
    path = encryption.record_path(instance)
    async with asyncio.timeout(10):
        while True:
            if path.exists():
                record = msgspec.json.decode(path.read_bytes(), type=encryption.Record)
                if record.keys == keys:
                    return record
            await asyncio.sleep(0.01)


async def change_keys_while_running(instance: Instance, environment: dict[str, str]) -> None:
    server = await ServerStore.open(instance, environment)
    server.obey_signals()
    for number in range(3):
        await server.store.put(SECRET + b"%d" % number, b"hunter2")
    await server.store.put(b"/core/configmaps/shop/plain", b"text")
    rotate(instance)
    os.kill(os.getpid(), signal.SIGHUP)
    wanted = encryption.writing_keys(encryption.read(encryption.path_of(instance)))
    assert (await record_of(instance, wanted)).values == 3
    await server.close()
    configuration = encryption.read(encryption.path_of(instance))
    new_alone = [msgspec.structs.replace(it, keys=it.keys[:1]) for it in configuration]
    encryption.write(encryption.path_of(instance), tuple(new_alone))
    server = await ServerStore.open(instance, environment)
    found = await server.store.range(b"/core/secrets/")
    assert [entry.value for entry in found.entries] == [b"hunter2"] * 3
    await server.close()


def test_keys_change_while_the_server_runs(instance: Instance) -> None:
    async def main() -> None:
        await change_keys_while_running(instance, {})
        content = b"".join(
            file.read_bytes() for file in (instance.state_folder / "server").iterdir()
        )
        assert b"hunter2" not in content

    asyncio.run(main())


def test_keys_change_over_etcd_too(instance: Instance, etcd: EtcdMember) -> None:  # noqa: F811
    environment = {"SAMPAN_DATASTORE": f"etcd://{etcd.endpoint}?prefix=/rotation"}
    asyncio.run(change_keys_while_running(instance, environment))


def test_the_environment_names_the_store(instance: Instance, etcd: EtcdMember) -> None:  # noqa: F811
    async def main() -> None:
        for environment, kind in (
            ({}, SqliteStore),
            ({"SAMPAN_DATASTORE": "sqlite"}, SqliteStore),
            ({"SAMPAN_DATASTORE": f"etcd://{etcd.endpoint}"}, EtcdStore),
        ):
            server = await ServerStore.open(instance, environment)
            assert type(server.store) is kind
            await server.close()
        with pytest.raises(InvalidDatastore):
            await ServerStore.open(instance, {"SAMPAN_DATASTORE": "etcd:"})

    asyncio.run(main())


def test_a_configuration_that_can_not_be_read_ends_the_start_and_keeps_running_servers(
    instance: Instance,
) -> None:
    async def main() -> None:
        server = await ServerStore.open(instance, {})
        server.obey_signals()
        await server.store.put(SECRET, b"before")
        path = encryption.path_of(instance)
        good = path.read_bytes()
        path.write_bytes(b"kind: Nothing")
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        assert (await server.store.put(SECRET, b"after")).value == b"after"
        await server.close()
        with pytest.raises(InvalidEncryption, match=r"encryption\.yaml"):
            await ServerStore.open(instance, {})
        path.write_bytes(good)
        server = await ServerStore.open(instance, {})
        assert (await server.store.get(SECRET)).value == b"after"
        await server.close()

    asyncio.run(main())
