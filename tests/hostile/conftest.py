"""An API server in memory, connections without a network, webhooks and proxied servers."""

from tests.control.api.admission.conftest import configuration, serve
from tests.control.api.conftest import account, play, pod

__all__ = ["account", "configuration", "play", "pod", "serve"]
