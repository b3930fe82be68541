"""How registries are reached: mirrors, insecure ones, authorities; one YAML file says it.

    mirrors:
      docker.io: [https://mirror.example]       # asked before the registry itself
    endpoints:
      docker.io: https://registry.example       # where the registry of that name answers
    insecure: [registry.local:5000, 10.0.0.0/8] # plain HTTP, or certificates of nobody known
    authorities:
      registry.example: /etc/ssl/registry.crt   # who signs its certificate

Nothing is opened here but that file.
"""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sampan.engine.contract import EngineError, InvalidConfiguration
from sampan.engine.images.reference import DEFAULT_REGISTRY

_LOOPBACK_NAME = "localhost"
_FILE_LIMIT = 1 << 20


class NoRegistry(EngineError):
    """The registry of names that name none is nowhere: a machine comes without one."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One address to try. `authority` is a file of certificates; `verify` off trusts anybody."""

    url: str
    verify: bool = True
    authority: str = ""
    is_mirror: bool = False


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mirrors: dict[str, tuple[str, ...]] = {}
    endpoints: dict[str, str] = {}
    insecure: tuple[str, ...] = ()
    authorities: dict[str, str] = {}

    def candidates(self, registry: str, *, with_mirrors: bool) -> Iterator[Endpoint]:
        """The addresses of a registry in the order to try them.

        An insecure one is asked by HTTPS first, whose certificate is not looked at, then by
        HTTP; loopback addresses are insecure by themselves, as they are to docker.
        """
        if with_mirrors:
            for url in self.mirrors.get(registry, ()):
                yield from self._of(url.rstrip("/"), is_mirror=True)
        yield from self._of(self.endpoints.get(registry, registry).rstrip("/"), is_mirror=False)

    def knows(self, registry: str) -> bool:
        """Whether a registry has an address: what stands for none in names has to be given one."""
        return registry != DEFAULT_REGISTRY or registry in self.endpoints

    def _of(self, address: str, *, is_mirror: bool) -> Iterator[Endpoint]:
        scheme, separator, host = address.partition("://")
        if not separator:
            scheme, host = "", address
        authority = self.authorities.get(host, "")
        verify = not self.is_insecure(host)
        if scheme != "http":
            url = f"https://{host}"
            yield Endpoint(url=url, verify=verify, authority=authority, is_mirror=is_mirror)
        if scheme == "http" or (not scheme and not verify):
            yield Endpoint(url=f"http://{host}", verify=verify, is_mirror=is_mirror)

    def is_insecure(self, host: str) -> bool:
        """`host` may have a port."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name == _LOOPBACK_NAME or host in self.insecure or name in self.insecure:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or any(address in it for it in self._insecure_ranges())

    def _insecure_ranges(self) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        for text in self.insecure:
            try:
                yield ipaddress.ip_network(text)
            except ValueError:  # a name, which `is_insecure` has compared
                continue


class SettingsFile(msgspec.Struct, frozen=True):
    """Read whenever a registry is asked for, so that a change holds at once."""

    path: Path

    def addresses(self, registry: str, image: str = "", *, with_mirrors: bool) -> list[Endpoint]:
        """As `candidates`, for an `image` if it is for one. Raises InvalidConfiguration,
        NoRegistry."""
        settings = read_settings(self.path)
        found = list(settings.candidates(registry, with_mirrors=with_mirrors))
        if settings.knows(registry):
            return found
        mirrors = [endpoint for endpoint in found if endpoint.is_mirror]
        if mirrors:
            return mirrors
        raise NoRegistry(
            (f'"{image}" names no registry' if image else "no registry is named")
            + f" and none is configured: write `endpoints: {{{registry}: https://ADDRESS}}` into "
            f"{self.path}" + (f", or name one: ADDRESS/{image}" if image else "")
        )


def read_settings(path: Path) -> RegistrySettings:
    """The settings of a file; the defaults if there is none. Raises InvalidConfiguration."""
    # The parser is only wanted where somebody has settings.
    import msgspec.yaml

    try:
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT)
    except FileNotFoundError:
        return RegistrySettings()
    try:
        return msgspec.yaml.decode(data, type=RegistrySettings)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidConfiguration(f"{path} can't be read: {error}") from error
