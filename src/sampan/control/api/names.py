"""Names and uids that the server makes up. Randomness is an argument."""

import uuid
from random import Random

# No vowels and no look-alikes, so that no words come out.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX = 5
_LONGEST_BASE = 63 - _SUFFIX


def random_suffix(random: Random) -> str:
    return "".join(random.choices(_ALPHABET, k=_SUFFIX))


def generated_name(base: str, random: Random) -> str:
    """A name of at most 63 characters that begins with `base`."""
    return base[:_LONGEST_BASE] + random_suffix(random)


def new_uid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
