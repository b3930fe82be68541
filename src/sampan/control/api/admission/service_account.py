"""Each pod runs as a service account, and finds a token of it mounted unless told otherwise.

As Kubernetes' ServiceAccount admission does: the account must exist, and a projected volume
with a token that the node renews, the cluster's CA and the namespace is added.
"""

from random import Random

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.core.pod_subresources import MIRROR
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS, SERVICE_ACCOUNTS
from sampan.kubernetes.machinery.generated_names import random_suffix

DEFAULT = "default"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
_TOKEN_SECONDS = 3607
_MODE = 0o644
_REMEMBERED_NAMES = 4096


class _AccountView(msgspec.Struct, rename="camel"):
    automount_service_account_token: bool | None = None
    image_pull_secrets: tuple[dict[str, str], ...] | None = None


_decode_account = msgspec.json.Decoder(_AccountView).decode


class ServiceAccount:
    def __init__(self, cache: WatchCache, random: Random) -> None:
        self._cache = cache
        # Asking the system for the name of each volume would take longer than all the rest here.
        self._random = Random(random.getrandbits(64))  # noqa: S311 - these names are no secrets
        self._names: dict[tuple[str, str], str] = {}

    def __call__(self, write: Write) -> None:
        """Raises Refused (403) when the account isn't there."""
        pod = write.new
        if write.kind.resource != PODS or not write.is_create or write.subresource or pod is None:
            return
        if _is_mirror(write, pod):
            return
        spec = pod.setdefault("spec", {})
        name = spec.get("serviceAccountName") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        stored = self._cache.of(SERVICE_ACCOUNTS).get(f"{write.namespace}/{name}")
        if stored is None:
            explanation = (
                f"error looking up service account {write.namespace}/{name}: "
                f'serviceaccount "{name}" not found'
            )
            raise write.refusal(explanation)
        account = _decode_account(stored.data)
        if account.image_pull_secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = list(account.image_pull_secrets)
        wanted = spec.get("automountServiceAccountToken", account.automount_service_account_token)
        if wanted is not False:
            self._mount(spec, (write.namespace, name))

    def _mount(self, spec: Object, account: tuple[str, str]) -> None:
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        missing = [it for it in containers if isinstance(it, dict) and not _has_mount(it)]
        if not missing:
            return
        volumes = spec.setdefault("volumes", [])
        name = next(
            (it["name"] for it in volumes if str(it.get("name", "")).startswith(VOLUME_PREFIX)), ""
        )
        if not name:
            name = self._volume_name(account)
            volumes.append(_volume(name))
        for container in missing:
            mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
            container.setdefault("volumeMounts", []).append(mount)

    def _volume_name(self, account: tuple[str, str]) -> str:
        """All pods of an account get one name, so that a template's pods stay alike, and what
        was found out about one of them holds for the others."""
        name = self._names.get(account)
        if name is None:
            if len(self._names) == _REMEMBERED_NAMES:
                self._names.clear()
            name = self._names[account] = VOLUME_PREFIX + random_suffix(self._random)
        return name


def _is_mirror(write: Write, pod: Object) -> bool:
    """Whether a node shows a pod that it runs by itself: that one runs as no account. Only a
    node can say so; which such pods it may show is for NodeRestriction to judge."""
    return bool(node_name(write.identity)) and MIRROR in (pod["metadata"].get("annotations") or {})


def _has_mount(container: Object) -> bool:
    return any(it.get("mountPath") == MOUNT_PATH for it in container.get("volumeMounts") or ())


def _volume(name: str) -> Object:
    namespace_file = {
        "path": "namespace",
        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
    }
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
                {
                    "configMap": {
                        "name": "kube-root-ca.crt",
                        "items": [{"key": "ca.crt", "path": "ca.crt"}],
                    }
                },
                {"downwardAPI": {"items": [namespace_file]}},
            ],
            "defaultMode": _MODE,
        },
    }
