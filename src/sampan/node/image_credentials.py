"""Which credentials of a pod's imagePullSecrets are for an image's registry. Pure.

Source: Kubernetes' documentation "Images", "Interpretation of config.json": an entry is a host
whose parts may have `*`, with or without a port, and a path that begins the image's.
"""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.credential_file import (
    decode_credential_file,
    decode_old_credential_file,
    server_names,
)
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.known_credentials import is_same_registry
from sampan.engine.images.reference import Reference, parse_reference

Contents = Mapping[str, bytes]
_NEW_KEY = ".dockerconfigjson"
_OLD_KEY = ".dockercfg"


def credentials_for(
    image: str, names: Sequence[str], secrets: Mapping[str, Contents]
) -> tuple[Credentials, ...]:
    """In the order to try them: the longest entry first. A Secret that isn't there, or can't be
    read, gives none. Raises InvalidReference for what is no image's name."""
    wanted = parse_reference(image)
    found = [
        (server, credentials)
        for name in names
        for server, credentials in _entries(secrets.get(name, {}))
        if _fits(server, wanted)
    ]
    found.sort(key=lambda pair: len(pair[0]), reverse=True)
    return tuple(credentials for _, credentials in found)


def _entries(contents: Contents) -> Iterator[tuple[str, Credentials]]:
    try:
        if _NEW_KEY in contents:
            yield from decode_credential_file(contents[_NEW_KEY]).entries().items()
        elif _OLD_KEY in contents:
            yield from decode_old_credential_file(contents[_OLD_KEY]).entries().items()
    except InvalidConfiguration:  # as if it weren't there: the registry refuses then
        return


def _fits(server: str, wanted: Reference) -> bool:
    host, path = server_names(server)
    if is_same_registry(server, wanted.registry):
        return _is_above(path, wanted.path)
    own, asked = host.split("."), wanted.registry.split(".")
    same = len(own) == len(asked) and all(map(fnmatch.fnmatchcase, asked, own))
    return same and _is_above(path, wanted.path)


def _is_above(path: str, wanted: str) -> bool:
    return not path or f"{wanted}/".startswith(f"{path}/")
