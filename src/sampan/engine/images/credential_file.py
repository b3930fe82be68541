"""Docker's `config.json`: who one is at which registry, or which program knows. Pure.

Its form is also that of Kubernetes' Secrets of type `kubernetes.io/dockerconfigjson`; the older
`dockercfg` has the entries without `auths` round them.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.credentials import Credentials

_TOKEN_USER = "<token>"  # noqa: S105 - the name that helpers give instead of a user's


class _Entry(msgspec.Struct, rename="lower"):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class CredentialFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`helpers` by registry name programs (`docker-credential-NAME`), `store` one for all."""

    auths: dict[str, _Entry] = {}
    helpers: dict[str, str] = msgspec.field(name="credHelpers", default={})
    store: str = msgspec.field(name="credsStore", default="")

    def entries(self) -> Mapping[str, Credentials]:
        """By the server as it is written there. Raises InvalidConfiguration."""
        return {server: _credentials(server, entry) for server, entry in self.auths.items()}

    def helper_of(self, registry: str) -> str:
        """The program that knows, "" if none does."""
        return self.helpers.get(registry, self.store)


class _HelperAnswer(msgspec.Struct, rename="pascal"):
    username: str = ""
    secret: str = ""


def decode_credential_file(data: bytes) -> CredentialFile:
    """Raises InvalidConfiguration."""
    try:
        return msgspec.json.decode(data, type=CredentialFile)
    except msgspec.DecodeError as error:
        raise InvalidConfiguration(f"a file of credentials can't be read: {error}") from error


def decode_old_credential_file(data: bytes) -> CredentialFile:
    """The same of a `dockercfg`."""
    try:
        return CredentialFile(auths=msgspec.json.decode(data, type=dict[str, _Entry]))
    except msgspec.DecodeError as error:
        raise InvalidConfiguration(f"a file of credentials can't be read: {error}") from error


def decode_helper_answer(data: bytes, server: str) -> Credentials:
    """What `docker-credential-NAME get` prints. Raises InvalidConfiguration."""
    try:
        answer = msgspec.json.decode(data, type=_HelperAnswer)
    except msgspec.DecodeError as error:
        raise InvalidConfiguration(f"a credential helper can't be understood: {error}") from error
    if answer.username == _TOKEN_USER:
        return Credentials(identity_token=answer.secret, server=server)
    return Credentials(user=answer.username, password=answer.secret, server=server)


def server_names(server: str) -> tuple[str, str]:
    """Host and path of a server as people write it: `https://host:5000/v1/` is `host:5000`."""
    text = server.partition("://")[2] or server
    host, _, path = text.rstrip("/").partition("/")
    return host, "" if path in ("v1", "v2") else path


def _credentials(server: str, entry: _Entry) -> Credentials:
    user, password = entry.username, entry.password
    if entry.auth:
        try:
            text = base64.b64decode(entry.auth, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidConfiguration(f"the credentials of {server} are not base64") from error
        user, _, password = text.partition(":")
    return Credentials(
        user=user,
        password=password.rstrip("\0"),
        identity_token=entry.identitytoken,
        registry_token=entry.registrytoken,
        server=server,
    )
