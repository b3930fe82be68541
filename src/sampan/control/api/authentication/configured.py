"""Puts authentication together as the server's settings say."""

from collections.abc import Callable
from datetime import datetime

from sampan.control.api.authentication import configuration, webhook_configuration
from sampan.control.api.authentication.issuer_fetch import fetch
from sampan.control.api.authentication.stage import Authentication
from sampan.control.api.authentication.static_tokens import StaticTokens
from sampan.control.api.authentication.token_webhook import TokenWebhook, asking
from sampan.control.api.authentication.tokens import Tokens
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.settings import ApiSettings
from sampan.foundation.pki.tokens import TokenSigner


def configured(
    cache: WatchCache, signer: TokenSigner, settings: ApiSettings, clock: Callable[[], datetime]
) -> tuple[Tokens, Authentication]:
    """What judges tokens, and the stage. Raises OSError, InvalidTokenFile, InvalidConfiguration."""
    path, file = settings.token_file, settings.authentication_file
    static = StaticTokens({}, settings.issuer)
    if path is not None:
        static = StaticTokens.read(path, settings.issuer)
    known = configuration.read(file) if file is not None else None
    webhook = None
    if settings.token_webhook_file is not None:
        ask = asking(webhook_configuration.read(settings.token_webhook_file))
        webhook = TokenWebhook(ask, settings.issuer, clock)
    tokens = Tokens(
        cache,
        signer,
        settings.issuer,
        clock,
        static=static,
        trusted=known.jwt if known is not None else (),
        fetch=fetch,
        webhook=webhook,
    )
    return tokens, Authentication(tokens, known.anonymous if known is not None else None)
