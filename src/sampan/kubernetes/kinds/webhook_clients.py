"""How the server reaches a webhook, as configurations and custom resources say it.

Rules of k8s.io/apiserver `util/webhook` (ValidateWebhookURL, ValidateWebhookService).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from sampan.kubernetes.kinds.field_rules import PORT_RANGE, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required

_ONE_WAY = "exactly one of url or service is required"


def default_client(client: Object) -> None:
    """A service is asked at port 443."""
    if "service" in client:
        client["service"].setdefault("port", 443)


def check_client(client: Object, field: str) -> Iterator[Cause]:
    if ("url" in client) is ("service" in client):
        yield required(field, _ONE_WAY)
    elif "url" in client:
        yield from _check_url(client["url"], f"{field}.url")
    else:
        yield from check_webhook_service(client["service"], f"{field}.service")


def _check_url(url: str, field: str) -> Iterator[Cause]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        form = "; desired format: https://host[/path]"
        yield required(field, f"url must be a valid URL: {error}{form}")
        return
    shown = "; desired format: https://host[/path]"
    if parts.scheme != "https":
        yield invalid(field, parts.scheme, f"'https' is the only allowed URL scheme{shown}")
    if not parts.netloc:
        yield invalid(field, parts.netloc, f"host must be specified{shown}")
    if "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0]
        yield invalid(field, user, "user information is not permitted in the URL")
    if parts.fragment:
        yield invalid(field, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield invalid(field, parts.query, "query parameters are not permitted in the URL")


def check_webhook_service(service: Object, field: str) -> Iterator[Cause]:
    """A service in the cluster, with an optional path of DNS names."""
    for key in ("name", "namespace"):
        if not service.get(key):
            yield required(f"{field}.{key}", f"service {key} is required")
    port = service.get("port", 443)
    if not 1 <= port <= 65535:
        detail = f"port is not valid: {PORT_RANGE}"
        yield invalid(f"{field}.port", port, detail)
    path = service.get("path")
    if path is not None:
        yield from _check_path(path, f"{field}.path")


def _check_path(path: str, field: str) -> Iterator[Cause]:
    if not path:
        return
    if path == "//":
        yield invalid(field, path, "segment[0] may not be empty")
        return
    if not path.startswith("/"):
        yield invalid(field, path, "must start with a '/'")
    steps = path[1:].split("/")
    if steps and not steps[-1]:
        steps.pop()
    for index, step in enumerate(steps):
        if not step:
            yield invalid(field, path, f"segment[{index}] may not be empty")
            continue
        for message in names.subdomain(step):
            yield invalid(field, path, f"segment[{index}]: {message}")


def check_review_versions(
    versions: list[str], accepted: tuple[str, ...], field: str
) -> Iterator[Cause]:
    """The versions of reviews that a webhook understands; the server must know one of them."""
    known = ", ".join(accepted)
    if not versions:
        yield required(field, f"must specify one of {known}")
        return
    seen: set[str] = set()
    for index, version in enumerate(versions):
        if version in seen:
            yield invalid(f"{field}[{index}]", version, "duplicate version")
        else:
            yield from check_text(names.label_1035, version, f"{field}[{index}]")
        seen.add(version)
    if not set(versions) & set(accepted):
        yield invalid(field, versions, f"must include at least one of {known}")
