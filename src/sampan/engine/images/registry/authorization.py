"""Meeting a registry's challenge: tokens and passwords, for one repository at a time.

Sources: distribution's specifications of token authentication (`spec/auth/token`) and of OAuth2
tokens (`spec/auth/oauth`). Secrets go nowhere but to the realm that the registry names, by HTTPS
if the registry itself is asked by HTTPS.
"""

from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec

from sampan.engine.contract import Forbidden
from sampan.engine.images.contract import Credentials
from sampan.engine.images.registry.challenges import (
    Challenge,
    basic_authorization,
    parse_challenges,
)
from sampan.engine.images.registry.refusals import RegistryRefusal, refusal_of

_CLIENT = "sampan"
_TOKEN_LIMIT = 1 << 20


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    refresh_token: str = ""


class Authorization:
    """Keeps the header that the last challenge was met with."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        scopes: Sequence[str],
        credentials: Credentials | None,
        *,
        wants_identity: bool = False,
    ) -> None:
        self._session = session
        self._scopes = scopes
        self._credentials = credentials or Credentials()
        self._wants_identity = wants_identity
        self.identity_token = ""
        token = self._credentials.registry_token
        self.header = f"Bearer {token}" if token else ""

    async def meet(self, challenges: Sequence[str], url: str) -> bool:
        """Prepare for asking `url` again; False when there is no way to.

        Raises Forbidden, RegistryRefusal, aiohttp.ClientError.
        """
        for challenge in parse_challenges(challenges):
            if challenge.scheme == "basic":
                if not self._credentials.user:
                    raise Forbidden("no basic auth credentials")
                header = basic_authorization(self._credentials.user, self._credentials.password)
                is_fresh = header != self.header
                self.header = header
                return is_fresh
            if challenge.scheme == "bearer":
                self.header = f"Bearer {await self._token(challenge, url)}"
                return True
        return False

    async def _token(self, challenge: Challenge, url: str) -> str:
        realm = urlsplit(challenge.realm)
        is_safe = realm.scheme == "https" or urlsplit(url).scheme == "http"
        if realm.scheme not in ("http", "https") or not is_safe:
            raise Forbidden(f"the registry's token service {challenge.realm[:200]!r} is not safe")
        fields = [("service", challenge.service)] if challenge.service else []
        scopes = self._scopes or ([challenge.scope] if challenge.scope else [])
        if self._credentials.identity_token:
            answer = await self._refreshed(challenge.realm, fields, scopes)
        else:
            answer = await self._asked(challenge.realm, fields, scopes)
        token = answer.token or answer.access_token
        if not token:
            raise Forbidden("the registry's token service gives no token")
        self.identity_token = answer.refresh_token
        return token

    async def _asked(
        self, realm: str, fields: list[tuple[str, str]], scopes: Sequence[str]
    ) -> _Token:
        headers = {}
        fields = [*fields, *(("scope", scope) for scope in scopes)]
        if self._credentials.user:
            fields.append(("account", self._credentials.user))
            headers["Authorization"] = basic_authorization(
                self._credentials.user, self._credentials.password
            )
        if self._wants_identity:
            fields += [("offline_token", "true"), ("client_id", _CLIENT)]
        joined = "&" if "?" in realm else "?"
        async with self._session.get(
            f"{realm}{joined}{urlencode(fields)}", headers=headers, allow_redirects=False
        ) as response:
            return await _decoded(response)

    async def _refreshed(
        self, realm: str, fields: list[tuple[str, str]], scopes: Sequence[str]
    ) -> _Token:
        form = {
            **dict(fields),
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            "refresh_token": self._credentials.identity_token,
        }
        async with self._session.post(realm, data=form, allow_redirects=False) as response:
            return await _decoded(response)


async def _decoded(response: aiohttp.ClientResponse) -> _Token:
    body = await response.content.read(_TOKEN_LIMIT)
    if response.status in (401, 403):
        refusal = refusal_of(response.status, body, "unauthorized")
        text = str(refusal) if refusal.code else "unauthorized: incorrect username or password"
        raise RegistryRefusal(response.status, refusal.code or "UNAUTHORIZED", text)
    if response.status != 200:
        raise refusal_of(response.status, body, "the registry's token service")
    try:
        return msgspec.json.decode(body, type=_Token)
    except msgspec.DecodeError as error:
        raise Forbidden(f"the registry's token service can't be understood: {error}") from error
