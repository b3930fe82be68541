"""Traffic control: how fast an interface sends, by a token bucket (tc-tbf(8)).

Messages of rtnetlink(7), linux/pkt_sched.h. What a rate is for is not known here.
"""

import errno
import struct

from sampan.host import netlink_message as message
from sampan.host.netlink_links import LinkSocket

_NEW_DISCIPLINE, _DELETE_DISCIPLINE = 36, 37
_ROOT = 0xFFFFFFFF
_KIND, _OPTIONS = 1, 2
_PARAMETERS, _RATE_64, _BURST = 1, 4, 6
_ETHERNET = 1
_LARGEST_RATE_32 = 0xFFFFFFFF
_NO_RATE = bytes(12)
_SMALLEST_BURST = 16 << 10
_BURST_SECONDS = 0.005
_QUEUE_SECONDS = 0.1
_TICKS_A_MICROSECOND = 15.625


def limit_sending(links: LinkSocket, name: str, rate: int) -> None:
    """Let an interface send `rate` bytes a second at most, over whatever held before.

    Packets wait for 100 ms at most, then they are dropped. NetlinkError.
    """
    burst = max(_SMALLEST_BURST, int(rate * _BURST_SECONDS))
    limit = max(2 * burst, int(rate * _QUEUE_SECONDS))
    bounded = min(rate, _LARGEST_RATE_32)
    # cell_log, link layer, overhead, cell_align, mpu, rate (struct tc_ratespec).
    specification = struct.pack("=BBHhHI", 0, _ETHERNET, 0, 0, 0, bounded)
    ticks = min(int(burst / rate * 1e6 * _TICKS_A_MICROSECOND), _LARGEST_RATE_32)
    parameters = specification + _NO_RATE + struct.pack("=III", limit, ticks, 0)
    options = [
        message.attribute(_PARAMETERS, parameters),
        message.attribute_u32(_BURST, burst),
    ]
    if rate > _LARGEST_RATE_32:
        options.append(message.attribute(_RATE_64, struct.pack("=Q", rate)))
    body = (
        _head(links, name)
        + message.attribute_text(_KIND, "tbf")
        + message.nested(_OPTIONS, *options)
    )
    flags = message.CREATE | message.REPLACE
    links.socket.request(_NEW_DISCIPLINE, flags, body, f"limit what {name} sends")


def unlimit_sending(links: LinkSocket, name: str) -> bool:
    """Let an interface send as fast as it can again; False if nothing held it."""
    purpose = f"lift the limit of {name}"
    return links.unless_missing(_DELETE_DISCIPLINE, _head(links, name), purpose, errno.ENOENT)


def _head(links: LinkSocket, name: str) -> bytes:
    return struct.pack("=BxxxiIII", 0, links.index(name), 0, _ROOT, 0)
