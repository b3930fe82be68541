"""Names of images: `hello`, `team/app:2`, `host:5000/x@sha256:…`, and their full forms.

The rules are those of the distribution specification's reference grammar, with Docker's
defaults for the registry and the tag. Nothing is looked up here.
"""

import re

import msgspec

from sampan.engine.contract import InvalidConfiguration

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
_LIBRARY = "library"
_LENGTH_LIMIT = 255
_DOMAIN = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
    r"(?::[0-9]+)?"
)
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IDENTIFIER = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")
_WHOLE_IDENTIFIER = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


class InvalidReference(InvalidConfiguration):
    """The text can't be the name of an image."""


class Reference(msgspec.Struct, frozen=True):
    """A full name: `docker.io/library/hello`, with a tag, a digest, or both."""

    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.repository + tag + (f"@{self.digest}" if self.digest else "")

    @property
    def registry(self) -> str:
        """The name of the registry that it is in."""
        return self.repository.partition("/")[0]

    @property
    def path(self) -> str:
        """What the repository is called in its registry."""
        return self.repository.partition("/")[2]

    @property
    def tagged(self) -> str:
        """Its name without the digest, as the store keeps it."""
        return f"{self.repository}:{self.tag or DEFAULT_TAG}"


def parse_reference(text: str) -> Reference:
    """The full form of what a user wrote. Raises InvalidReference."""
    rest, _, digest = text.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        raise InvalidReference(f"invalid reference format: {digest[:80]!r} is not a sha256 digest")
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        head, tag = rest, ""
    elif not _TAG.fullmatch(tag):
        raise InvalidReference(f"invalid reference format: {text[:80]!r} has an invalid tag")
    repository = _full_repository(head)
    if len(repository) > _LENGTH_LIMIT or not _is_repository(repository):
        if any(letter.isupper() for letter in head):
            raise InvalidReference(
                f"invalid reference format: repository name ({head[:80]}) must be lowercase"
            )
        raise InvalidReference(
            f"invalid reference format: {text[:80]!r} is not the name of an image: use "
            "lower-case letters, digits and single separators, as in team/app:1.0"
        )
    return Reference(repository, tag or ("" if digest else DEFAULT_TAG), digest)


def is_repository(text: str) -> bool:
    """Whether the text names a repository, with neither tag nor digest."""
    try:
        return str(parse_reference(text)) == f"{_full_repository(text)}:{DEFAULT_TAG}"
    except InvalidReference:
        return False


def familiar(name: str) -> str:
    """A full name without what a user may leave out: `hello:latest`."""
    for prefix in (f"{DEFAULT_REGISTRY}/{_LIBRARY}/", f"{DEFAULT_REGISTRY}/"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def is_identifier(text: str) -> bool:
    """Whether the text could be (the start of) an image's identifier or digest."""
    return bool(_IDENTIFIER.fullmatch(text))


def full_identifier(text: str) -> str:
    """`sha256:…` if the text is a whole identifier, "" if not: such a text is never a name."""
    if not _WHOLE_IDENTIFIER.fullmatch(text):
        return ""
    return text if text.startswith("sha256:") else f"sha256:{text}"


def _full_repository(head: str) -> str:
    first, slash, _ = head.partition("/")
    if not slash:
        return f"{DEFAULT_REGISTRY}/{_LIBRARY}/{head}"
    if "." in first or ":" in first or first == "localhost":
        return head
    return f"{DEFAULT_REGISTRY}/{head}"


def _is_repository(repository: str) -> bool:
    domain, *components = repository.split("/")
    return bool(
        components
        and _DOMAIN.fullmatch(domain)
        and all(_COMPONENT.fullmatch(component) for component in components)
    )
