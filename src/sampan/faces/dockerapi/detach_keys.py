"""The keys by which people leave a terminal without ending what runs in it. Pure."""

from sampan.engine.contract import InvalidConfiguration

DEFAULT = b"\x10\x11"
_CONTROL = {letter: code for code, letter in enumerate("@abcdefghijklmnopqrstuvwxyz[\\]^_")}


def parsed(text: str) -> bytes:
    """The bytes of `ctrl-p,q` and the like; "" is the default. Raises InvalidConfiguration."""
    if not text:
        return DEFAULT
    keys = bytearray()
    for key in text.split(","):
        if len(key) == 1 and key.isascii():
            keys += key.encode()
        elif key.startswith("ctrl-") and key[5:].lower() in _CONTROL:
            keys.append(_CONTROL[key[5:].lower()])
        elif key == "DEL":
            keys.append(127)
        else:
            raise InvalidConfiguration(
                f"Invalid detach keys ({text[:80]}) provided: unknown key: '{key[:80]}'"
            )
    return bytes(keys)


class DetachKeys:
    """Finds the keys in what is typed, however it is cut into pieces.

    The start of the keys is held back until it is clear what comes of it.
    """

    def __init__(self, keys: bytes = DEFAULT) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What is to be passed on, and whether the keys were pressed (the rest is dropped)."""
        data = self._held + data
        self._held = b""
        found = data.find(self._keys)
        if found >= 0:
            return data[:found], True
        for size in range(min(len(self._keys) - 1, len(data)), 0, -1):
            if data.endswith(self._keys[:size]):
                self._held = data[-size:]
                return data[:-size], False
        return data, False
