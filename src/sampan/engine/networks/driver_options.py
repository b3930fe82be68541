"""What Docker's driver options of a bridge network say. Pure."""

import re
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.record import BridgeOptions
from sampan.network.bridges.contract import GatewayMode

_PREFIX = "com.docker.network."
BRIDGE_NAME = f"{_PREFIX}bridge.name"
_ISOLATION = f"{_PREFIX}bridge.enable_icc"
_MASQUERADE = f"{_PREFIX}bridge.enable_ip_masquerade"
_HOST_ADDRESS = f"{_PREFIX}bridge.host_binding_ipv4"
_MODE = f"{_PREFIX}bridge.gateway_mode_ipv4"
_MODE6 = f"{_PREFIX}bridge.gateway_mode_ipv6"
_SOURCE = f"{_PREFIX}host_ipv4"
_SOURCE6 = f"{_PREFIX}host_ipv6"
_WITHOUT_ADDRESS = f"{_PREFIX}bridge.inhibit_ipv4"
_MTU = f"{_PREFIX}driver.mtu"
_INTERFACE_PREFIX = f"{_PREFIX}container_iface_prefix"
_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_MODES: dict[str, GatewayMode] = {
    "nat": "nat",
    "nat-unprotected": "nat-unprotected",
    "routed": "routed",
    "isolated": "isolated",
}
_DEVICE_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_PREFIX_FORM = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,8}")
_USUAL_MTU = 1500
_SMALLEST_MTU, _LARGEST_MTU = 68, 65535
_SMALLEST_MTU_FOR_IPV6 = 1280


def bridge_options(
    options: Mapping[str, str], device: str, *, ipv6: bool, internal: bool = False
) -> BridgeOptions:
    """The options as values; `device` is the bridge's name if none is given.

    Options of other drivers are ignored, as Docker has it. Raises InvalidConfiguration.
    """
    return BridgeOptions(
        device=_matching(options, BRIDGE_NAME, device, _DEVICE_FORM),
        mtu=_mtu(options.get(_MTU, ""), ipv6=ipv6) or _USUAL_MTU,
        isolated=not _truth(options, _ISOLATION),
        masquerade=_truth(options, _MASQUERADE),
        host_address=_address(options, _HOST_ADDRESS, IPv4Address),
        mode=_mode(options, _MODE, internal=internal),
        mode6=_mode(options, _MODE6, internal=internal),
        source=_address(options, _SOURCE, IPv4Address),
        source6=_address(options, _SOURCE6, IPv6Address),
        has_address=not _truth(options, _WITHOUT_ADDRESS, default="false"),
        interface_prefix=interface_prefix(options),
    )


def interface_prefix(options: Mapping[str, str]) -> str:
    """What the names of containers' interfaces begin with. Raises InvalidConfiguration."""
    return _matching(options, _INTERFACE_PREFIX, "eth", _PREFIX_FORM)


def driver_mtu(options: Mapping[str, str]) -> int:
    """The MTU that is asked for, 0 if none is. Raises InvalidConfiguration."""
    return _mtu(options.get(_MTU, ""), ipv6=False)


def _truth(options: Mapping[str, str], name: str, default: str = "true") -> bool:
    text = options.get(name, default)
    if text not in _TRUTHS:
        raise InvalidConfiguration(f"failed to parse {name} value: {text!r} is no boolean")
    return _TRUTHS[text]


def _matching(options: Mapping[str, str], name: str, default: str, form: re.Pattern[str]) -> str:
    text = options.get(name) or default
    if not form.fullmatch(text):
        raise InvalidConfiguration(f"invalid {name}: {text!r} can't be the name of an interface")
    return text


def _mtu(text: str, *, ipv6: bool) -> int:
    if text in ("", "0"):
        return 0
    smallest = _SMALLEST_MTU_FOR_IPV6 if ipv6 else _SMALLEST_MTU
    if not text.isascii() or not text.isdecimal() or not smallest <= int(text) <= _LARGEST_MTU:
        raise InvalidConfiguration(
            f"invalid MTU {text!r}: use a number from {smallest} to {_LARGEST_MTU}"
        )
    return int(text)


def _address(
    options: Mapping[str, str], name: str, version: type[IPv4Address] | type[IPv6Address]
) -> str:
    text = options.get(name, "")
    if text:
        try:
            version(text)
        except AddressValueError as error:
            raise InvalidConfiguration(f"invalid {name}: {error}") from error
    return text


def _mode(options: Mapping[str, str], name: str, *, internal: bool) -> GatewayMode:
    text = options.get(name) or "nat"
    mode = _MODES.get(text)
    if mode is None:
        raise InvalidConfiguration(f"unknown gateway mode {text} for {name}")
    if mode == "isolated" and not internal:
        raise InvalidConfiguration(
            "gateway mode 'isolated' can only be used for an internal network"
        )
    return mode
