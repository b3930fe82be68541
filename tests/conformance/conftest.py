"""An API server in memory, and webhooks on the loopback."""

from tests.control.api.admission.conftest import configuration, serve
from tests.control.api.conftest import account, play, pod

__all__ = ["account", "configuration", "play", "pod", "serve"]
