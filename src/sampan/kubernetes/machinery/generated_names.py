"""Names and uids that are made up. Pure: randomness is an argument."""

from random import Random

# No vowels and no look-alikes, so that no words come out.
SIGNS = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX = 5
_SUFFIXES = len(SIGNS) ** _SUFFIX
_VARIANTS = "89ab"
_LONGEST_BASE = 63 - _SUFFIX


def random_suffix(random: Random) -> str:
    number = random.randrange(_SUFFIXES)
    signs = ""
    for _ in range(_SUFFIX):
        number, position = divmod(number, len(SIGNS))
        signs += SIGNS[position]
    return signs


def generated_name(base: str, random: Random) -> str:
    """A name of at most 63 characters that begins with `base`."""
    return base[:_LONGEST_BASE] + random_suffix(random)


def new_uid(random: Random) -> str:
    """A UUID of version 4 (RFC 9562)."""
    digits = f"{random.getrandbits(124):031x}"
    variant = _VARIANTS[int(digits[30], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[15:18]}-{digits[18:30]}"
