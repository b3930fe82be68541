"""The envelope in which a value lies on disk, plain or encrypted.

    plain      version 1, key id 0, checksum of key and value, value
    encrypted  version 2, fingerprint of the encryption key, checksum of key and all the rest,
               nonce, AES-GCM's ciphertext with its tag; the key is authenticated with it

Either way a value can't come back under another's name. The fingerprint follows from the
encryption key itself, and the checksum needs none, so that a wrong encryption key is told from
damage. Knows no files.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sampan.store.contract import StoreError

_HEADER = struct.Struct(">BBI")
_ENCRYPTED_HEADER = struct.Struct(">B8sI")
_PLAIN_VERSION = 1
_ENCRYPTED_VERSION = 2
_NOT_ENCRYPTED = 0
_FINGERPRINT_BYTES = 8
_NONCE_BYTES = 12
_CIPHERTEXT_AT = _ENCRYPTED_HEADER.size + _NONCE_BYTES


class BadEnvelope(StoreError):
    """Stored bytes are not what was written."""


class MissingKey(StoreError):
    """A value is encrypted with a key that was not given."""


class EncryptionRule(msgspec.Struct, frozen=True):
    """How values whose keys start with `prefix` are kept.

    Any of `keys` may read; new values get the first, or none of them when `write_plain`.
    """

    prefix: bytes
    keys: tuple[bytes, ...]
    write_plain: bool = False


def fingerprint(key: bytes) -> bytes:
    """What names an encryption key in an envelope, and tells nothing of it."""
    return hashlib.sha256(b"sampan encryption key" + key).digest()[:_FINGERPRINT_BYTES]


class _Cipher:
    def __init__(self, key: bytes) -> None:
        self.fingerprint = fingerprint(key)
        self.aead = AESGCM(key)


class Envelopes:
    """Seals and unseals values by rules, of which the first that fits a key holds for it."""

    def __init__(
        self,
        rules: Iterable[EncryptionRule] = (),
        nonce: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._nonce = nonce
        self.use(rules)

    def use(self, rules: Iterable[EncryptionRule]) -> None:
        """Go by other rules from now on."""
        readers: dict[bytes, AESGCM] = {}
        writers: list[tuple[bytes, _Cipher | None]] = []
        for rule in rules:
            ciphers = [_Cipher(key) for key in rule.keys]
            readers |= {cipher.fingerprint: cipher.aead for cipher in ciphers}
            plain = rule.write_plain or not ciphers
            writers.append((rule.prefix, None if plain else ciphers[0]))
        self._ciphers, self._writers = readers, tuple(writers)

    def seal(self, key: bytes, value: bytes) -> bytes:
        """What is stored for `value`."""
        cipher = self._writer(key)
        if cipher is None:
            checksum = zlib.crc32(value, zlib.crc32(key))
            return _HEADER.pack(_PLAIN_VERSION, _NOT_ENCRYPTED, checksum) + value
        nonce = self._nonce(_NONCE_BYTES)
        sealed = nonce + cipher.aead.encrypt(nonce, value, key)
        checksum = _checksum(key, cipher.fingerprint, sealed)
        return _ENCRYPTED_HEADER.pack(_ENCRYPTED_VERSION, cipher.fingerprint, checksum) + sealed

    def unseal(self, key: bytes, stored: bytes) -> bytes:
        """The value in `stored`. Raises BadEnvelope, MissingKey."""
        if stored[:1] == bytes((_ENCRYPTED_VERSION,)):
            return self._decrypted(key, stored)
        return _plain(key, stored)

    def _writer(self, key: bytes) -> _Cipher | None:
        for prefix, cipher in self._writers:
            if key.startswith(prefix):
                return cipher
        return None

    def _decrypted(self, key: bytes, stored: bytes) -> bytes:
        if len(stored) < _CIPHERTEXT_AT:
            raise BadEnvelope(f"the value of {key!r} is cut off")
        _, named, checksum = _ENCRYPTED_HEADER.unpack_from(stored)
        sealed = stored[_ENCRYPTED_HEADER.size :]
        if _checksum(key, named, sealed) != checksum:
            raise BadEnvelope(f"the value of {key!r} has a wrong checksum")
        aead = self._ciphers.get(named)
        if aead is None:
            raise MissingKey(
                f"the value of {key!r} is encrypted with the key {named.hex()}, "
                "which the encryption configuration does not have"
            )
        try:
            return aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key)
        except InvalidTag as error:
            raise BadEnvelope(f"the value of {key!r} is not what was encrypted") from error


def _checksum(key: bytes, named: bytes, sealed: bytes) -> int:
    return zlib.crc32(sealed, zlib.crc32(named, zlib.crc32(key)))


def _plain(key: bytes, stored: bytes) -> bytes:
    if len(stored) < _HEADER.size:
        raise BadEnvelope(f"the value of {key!r} is cut off")
    version, key_id, checksum = _HEADER.unpack_from(stored)
    if version != _PLAIN_VERSION or key_id != _NOT_ENCRYPTED:
        raise BadEnvelope(f"the value of {key!r} has an unknown form ({version}, {key_id})")
    value = stored[_HEADER.size :]
    if zlib.crc32(value, zlib.crc32(key)) != checksum:
        raise BadEnvelope(f"the value of {key!r} has a wrong checksum")
    return value


PLAIN = Envelopes()
