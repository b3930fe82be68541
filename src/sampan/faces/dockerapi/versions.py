"""Which versions of the API are spoken, and which one a path asks for. Pure."""

import re

from sampan.engine.contract import InvalidConfiguration

Version = tuple[int, int]

MINIMUM: Version = (1, 24)
MAXIMUM: Version = (1, 52)
_PREFIX = re.compile(r"/v(\d{1,4})\.(\d{1,4})(?=/)")


def text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def split(path: str) -> tuple[Version, str]:
    """The version that a path begins with (the newest if with none), and the path behind it.

    Raises InvalidConfiguration for a version that isn't spoken.
    """
    found = _PREFIX.match(path)
    if found is None:
        return MAXIMUM, path
    version = (int(found[1]), int(found[2]))
    if version < MINIMUM:
        raise InvalidConfiguration(
            f"client version {text(version)} is too old. Minimum supported API version is "
            f"{text(MINIMUM)}, please upgrade your client to a newer version"
        )
    if version > MAXIMUM:
        raise InvalidConfiguration(
            f"client version {text(version)} is too new. Maximum supported API version is "
            f"{text(MAXIMUM)}"
        )
    return version, path[found.end() :]
