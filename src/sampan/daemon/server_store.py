"""The store of a server: which one it is, and the keys that its values are encrypted with.

The keys lie in a file in the configuration folder, made at the first start. At SIGHUP the
server reads it again and writes every value that it speaks of anew, under the key that now
writes; a record in the state folder tells which that was.
"""

import asyncio
import logging
import secrets
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sampan.control.api.cache.encrypted_resources import encryption_rules
from sampan.foundation import encryption_configuration as encryption
from sampan.foundation import tasks
from sampan.foundation.datastore import Datastore, datastore_of
from sampan.foundation.pki.files import write_atomically
from sampan.foundation.settings import Instance
from sampan.store.contract import Store, StoreError
from sampan.store.envelope import EncryptionRule, Envelopes
from sampan.store.renewal import renew

_log = logging.getLogger(__name__)


class ServerStore:
    """An open store. Made by `open`."""

    def __init__(self, instance: Instance, store: Store, envelopes: Envelopes) -> None:
        self.store = store
        self._instance = instance
        self._envelopes = envelopes
        self._renewal: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()

    @classmethod
    async def open(cls, instance: Instance, environment: Mapping[str, str]) -> "ServerStore":
        """The instance's store, as `SAMPAN_DATASTORE` and its companions say.

        Raises InvalidDatastore, InvalidEncryption, StoreError, OSError.
        """
        _folder(instance).mkdir(parents=True, exist_ok=True, mode=0o700)
        envelopes = Envelopes(_rules(instance))
        store = await _opened(instance, datastore_of(environment, instance.full_name), envelopes)
        return cls(instance, store, envelopes)

    def obey_signals(self) -> None:
        """Read the keys again at SIGHUP."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        self._renewal = asyncio.create_task(self._renew_when_asked(), name="key rotation")

    async def close(self) -> None:
        await tasks.end(self._renewal)
        await self.store.close()

    async def _renew_when_asked(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._renew()
            except (encryption.InvalidEncryption, StoreError, OSError):
                _log.exception("the values in the store were not encrypted anew")

    async def _renew(self) -> None:
        configuration = encryption.read(encryption.path_of(self._instance))
        rules = encryption_rules(configuration)
        self._envelopes.use(rules)
        count = await renew(self.store, [rule.prefix for rule in rules])
        names = encryption.writing_keys(configuration)
        _log.info("values are encrypted with the keys that now write", extra={"values": count})
        record = encryption.Record(keys=names, values=count, time=_now().isoformat())
        write_atomically(encryption.record_path(self._instance), msgspec.json.encode(record))


def _folder(instance: Instance) -> Path:
    return encryption.record_path(instance).parent


def _rules(instance: Instance) -> tuple[EncryptionRule, ...]:
    path = encryption.path_of(instance)
    if not path.exists():
        secret = secrets.token_bytes(encryption.KEY_BYTES)
        encryption.write(path, encryption.first_configuration(secret, _now()))
    return encryption_rules(encryption.read(path))


async def _opened(instance: Instance, datastore: Datastore, envelopes: Envelopes) -> Store:
    if datastore.is_embedded:
        from sampan.store.sqlite import SqliteStore

        return await SqliteStore.open(_folder(instance) / "store.db", envelopes=envelopes)
    # gRPC takes long to import, and most servers never need it.
    from sampan.store.etcd import EtcdStore

    return await EtcdStore.open(
        datastore.endpoints,
        root=datastore.prefix.encode(),
        authority=datastore.authority,
        certificate=datastore.certificate,
        key=datastore.key,
        envelopes=envelopes,
    )


def _now() -> datetime:
    return datetime.now(UTC)
