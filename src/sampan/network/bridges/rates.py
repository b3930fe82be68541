"""Rates as people write them, in the units of tc(8). Pure."""

import re

_FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_BITS = {"": 1, "bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "kibit": 2**10, "mibit": 2**20}
_BYTES = {"bps": 1, "kbps": 1e3, "mbps": 1e6, "gbps": 1e9, "kibps": 2**10, "mibps": 2**20}
SLOWEST = 1_000


def bytes_a_second(text: str) -> int:
    """`10mbit` is 1,250,000; "" is 0, no limit. ValueError says what is wrong."""
    if not text:
        return 0
    form = _FORM.fullmatch(text.strip())
    unit = form[2].lower() if form else "?"
    if form is None or unit not in _BITS | _BYTES:
        raise ValueError(f"invalid rate {text!r}: use a number with bit, kbit, mbit, gbit or bps")
    factor = _BITS[unit] / 8 if unit in _BITS else _BYTES[unit]
    rate = int(float(form[1]) * factor)
    if rate < SLOWEST:
        raise ValueError(f"invalid rate {text!r}: at least {8 * SLOWEST} bits a second")
    return rate
