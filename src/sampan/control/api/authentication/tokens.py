"""Whom a bearer token stands for: every sort of token, in the one order of trying."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime

import msgspec

from sampan.control.api.authentication.bootstrap_tokens import BootstrapTokens
from sampan.control.api.authentication.configuration import TokenIssuer
from sampan.control.api.authentication.external_issuers import ExternalIssuers, Fetch
from sampan.control.api.authentication.identities import Proof
from sampan.control.api.authentication.service_account_tokens import ServiceAccountTokens
from sampan.control.api.authentication.static_tokens import StaticTokens
from sampan.control.api.authentication.token_webhook import TokenWebhook
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.pki.tokens import LONGEST_TOKEN, InvalidToken, TokenSigner


class _Claims(msgspec.Struct):
    iss: str = ""


class Tokens:
    """Judges every sort of token."""

    def __init__(
        self,
        cache: WatchCache,
        signer: TokenSigner,
        own_audience: str,
        clock: Callable[[], datetime],
        *,
        static: StaticTokens,
        trusted: tuple[TokenIssuer, ...],
        fetch: Fetch,
        webhook: TokenWebhook | None = None,
    ) -> None:
        self.own_audience = own_audience
        self._static = static
        self._accounts = ServiceAccountTokens(cache, signer, own_audience, clock)
        self._bootstrap = BootstrapTokens(cache, own_audience, clock)
        self._webhook = webhook
        self._external = ExternalIssuers(trusted, fetch, clock)

    async def proof(self, token: str, audiences: tuple[str, ...]) -> Proof:
        """Raises InvalidToken."""
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken("the token is too long")
        issuer = _claimed_issuer(token)
        if self._accounts.issued(issuer):
            return self._accounts.proof(token, audiences)
        if self._external.issued(issuer) and self.own_audience in audiences:
            return await self._external.proof(token, issuer, (self.own_audience,))
        found = self._static.proof(token, audiences) or self._bootstrap.proof(token, audiences)
        if found is None and self._webhook is not None:
            found = await self._webhook.proof(token, audiences)
        if found is None:
            raise InvalidToken("invalid bearer token")
        return found


def _claimed_issuer(token: str) -> str:
    """Who a token says has issued it: by that it is sorted, nothing is believed yet."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=_Claims).iss
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return ""
