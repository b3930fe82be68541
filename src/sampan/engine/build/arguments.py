"""Build arguments: what is given, what a Dockerfile declares, what is always there. Pure.

Source: the Dockerfile reference, "ARG": scope, predefined arguments, automatic platform
arguments.
"""

from collections.abc import Mapping

from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.errors import InvalidDockerfile
from sampan.engine.build.expansion import words
from sampan.engine.build.metadata import check_flags
from sampan.engine.images.documents import Platform
from sampan.engine.images.platforms import platform_text

# Known to RUN without being declared, and no part of the history or of a step's cache key.
UNDECLARED = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
DATE_ARGUMENT = "SOURCE_DATE_EPOCH"
# Read by the builder itself.
_OWN = ("BUILDKIT_", DATE_ARGUMENT)


def platform_arguments(build: Platform, target: Platform, stage: str) -> dict[str, str]:
    """The automatic arguments of a build for `target` on a machine that is `build`."""
    found = {"TARGETSTAGE": stage or "default"}
    for prefix, platform in (("BUILD", build), ("TARGET", target)):
        found |= {
            f"{prefix}PLATFORM": platform_text(platform),
            f"{prefix}OS": platform.os,
            f"{prefix}ARCH": platform.architecture,
            f"{prefix}VARIANT": platform.variant,
        }
    return found


def declared(
    instruction: Instruction,
    given: Mapping[str, str | None],
    inherited: Mapping[str, str],
    variables: Mapping[str, str],
    escape: str,
) -> dict[str, str | None]:
    """The arguments of one ARG: as given to the build, or the default, or `inherited`.

    None is an argument without a value. Raises InvalidDockerfile.
    """
    found: dict[str, str | None] = {}
    for name, default in defaults(instruction, variables, escape).items():
        value = given.get(name)
        if value is None:
            value = default if default is not None else inherited.get(name)
        found[name] = value
    return found


def defaults(
    instruction: Instruction, variables: Mapping[str, str], escape: str
) -> dict[str, str | None]:
    """The names of an ARG, with what stands behind their `=`. Raises InvalidDockerfile."""
    line = instruction.line
    check_flags(instruction)
    raw = words(instruction.text, variables, escape, line)
    if not raw:
        raise InvalidDockerfile("ARG requires at least one argument", line)
    found: dict[str, str | None] = {}
    for word in raw:
        name, equals, value = word.partition("=")
        if not name:
            raise InvalidDockerfile("ARG names can not be blank", line)
        found[name] = value if equals else None
    return found


def told(found: Mapping[str, str | None]) -> str:
    """How an image's history tells of an ARG."""
    shown = (name if value is None else f"{name}={value}" for name, value in found.items())
    return "ARG " + " ".join(shown)


def unconsumed(given: Mapping[str, str | None], consumed: set[str]) -> list[str]:
    """The given arguments that no ARG declared and that nothing else reads."""
    return sorted(
        name
        for name in given
        if name not in consumed and name not in UNDECLARED and not name.startswith(_OWN)
    )
