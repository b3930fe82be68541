"""Names of containers: which are allowed, and making one up for who gave none."""

import random
import re
from collections.abc import Container

from sampan.engine.contract import InvalidConfiguration

_FORM = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_LONGEST = 255
_ATTEMPTS = 6
_ADJECTIVES = (
    "amber bold brisk calm candid cedar clear coastal copper coral crisp dapper deft distant "
    "drifting eager early earnest even fair faithful fine flowing foggy gentle gilded glad "
    "golden graceful hardy hearty hidden honest humble idle inland jolly keen kind lasting "
    "level light lively loyal lucid lunar mellow merry misty modest narrow neat nimble noble "
    "northern open patient placid plain prompt proud quick quiet ready restful rising roving "
    "salty serene silent silver sleek slender smooth snug solid southern stately steady still "
    "sturdy sunny supple swift tidal tidy tranquil trim true upright vivid warm watchful "
    "western wide willing windy wise"
)
_NOUNS = (
    "anchor atoll bank barge bay beacon boathook bollard bow breeze bridge buoy cabin canal "
    "canvas cape capstan cargo channel chart cleat compass cove crane creek current cutter "
    "deck delta dinghy dock dory dune eddy estuary ferry fjord fleet galley gull halyard "
    "harbor hatch haven heron hull inlet island jetty junk kayak keel ketch knot lagoon "
    "landing lantern ledger lighthouse lock longboat lugger mainsail marina mast mooring "
    "oar osprey paddle pelican pier pilot pontoon port prow quay raft rapids reef rigging "
    "river rope rudder sail schooner seal shoal shore skiff sloop sound spar starboard "
    "stern strait stream tender tern tide tiller towline trawler wake wharf whistle"
)


def made_up(taken: Container[str], random_source: random.Random) -> str:
    """A name that nobody has: an adjective and a noun, at last with a number."""
    for attempt in range(_ATTEMPTS):
        name = f"{random_source.choice(_ADJECTIVES.split())}_{random_source.choice(_NOUNS.split())}"
        if attempt == _ATTEMPTS - 1:
            name += f"{random_source.randrange(1, 1_000_000)}"
        if name not in taken:
            return name
    return made_up(taken, random_source)


def checked(name: str) -> str:
    """A name as it is kept, without the slash that it may begin with.

    Raises InvalidConfiguration in Docker's words.
    """
    plain = name.removeprefix("/")
    if len(plain) > _LONGEST or not _FORM.fullmatch(plain):
        raise InvalidConfiguration(
            f"Invalid container name ({name[:300]}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    return plain
