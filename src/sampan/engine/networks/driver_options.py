"""What Docker's driver options of a bridge network say. Pure."""

import re
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.record import BridgeOptions

_PREFIX = "com.docker.network."
BRIDGE_NAME = f"{_PREFIX}bridge.name"
_ISOLATION = f"{_PREFIX}bridge.enable_icc"
_MASQUERADE = f"{_PREFIX}bridge.enable_ip_masquerade"
_HOST_ADDRESS = f"{_PREFIX}bridge.host_binding_ipv4"
_MTU = f"{_PREFIX}driver.mtu"
_INTERFACE_PREFIX = f"{_PREFIX}container_iface_prefix"
_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_DEVICE_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_PREFIX_FORM = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,8}")
_SMALLEST_MTU, _LARGEST_MTU = 68, 65535
_SMALLEST_MTU_FOR_IPV6 = 1280


def bridge_options(options: Mapping[str, str], device: str, *, ipv6: bool) -> BridgeOptions:
    """The options as values; `device` is the bridge's name if none is given.

    Options of other drivers are ignored, as Docker has it. Raises InvalidConfiguration.
    """
    return BridgeOptions(
        device=_matching(options, BRIDGE_NAME, device, _DEVICE_FORM),
        mtu=_mtu(options.get(_MTU, ""), ipv6=ipv6),
        isolated=not _truth(options, _ISOLATION),
        masquerade=_truth(options, _MASQUERADE),
        host_address=_address(options),
        interface_prefix=_matching(options, _INTERFACE_PREFIX, "eth", _PREFIX_FORM),
    )


def _truth(options: Mapping[str, str], name: str) -> bool:
    text = options.get(name, "true")
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
        return 1500
    smallest = _SMALLEST_MTU_FOR_IPV6 if ipv6 else _SMALLEST_MTU
    if not text.isascii() or not text.isdecimal() or not smallest <= int(text) <= _LARGEST_MTU:
        raise InvalidConfiguration(
            f"invalid MTU {text!r}: use a number from {smallest} to {_LARGEST_MTU}"
        )
    return int(text)


def _address(options: Mapping[str, str]) -> str:
    text = options.get(_HOST_ADDRESS, "")
    if text:
        try:
            IPv4Address(text)
        except AddressValueError as error:
            raise InvalidConfiguration(f"invalid {_HOST_ADDRESS}: {error}") from error
    return text
