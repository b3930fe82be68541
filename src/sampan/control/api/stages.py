"""The stages of the API server in their order.

a request → metering → answering → authentication → audit → impersonation → fairness
→ authorization → currency → aggregation → routing
→ (for a write: decoding → defaulting → admission → validation → verdicts → store)
"""

from collections.abc import Mapping
from typing import NamedTuple

from sampan.control.api.aggregation.aggregator import Aggregator
from sampan.control.api.answering import answer
from sampan.control.api.audit import configured as audit_log
from sampan.control.api.audit.log_file import AuditLog
from sampan.control.api.authentication import configured as authentication
from sampan.control.api.authentication.impersonation import Impersonation
from sampan.control.api.call import Handler, Stage, chained
from sampan.control.api.documents.documents import Check, Documents
from sampan.control.api.documents.issuer_documents import IssuerDocuments
from sampan.control.api.fairness.stage import Fairness
from sampan.control.api.fairness.width import width_by_objects
from sampan.control.api.handlers import handlers, posted
from sampan.control.api.metering import Metering
from sampan.control.api.parts import Parts
from sampan.control.api.reading.consistent_reads import ConsistentReads
from sampan.control.api.reviews.reviews import Reviews
from sampan.control.api.routing import Router


class Stages(NamedTuple):
    """All stages as one handler: of requests from the network, and of those in this process, which
    enter after authentication; and the log that they write."""

    outside: Handler
    inside: Handler
    audit_log: AuditLog | None


def stages_of(parts: Parts, aggregator: Aggregator, checks: Mapping[str, Check]) -> Stages:
    """The stages of a server; `checks` say what is wrong with its health, or nothing."""
    settings, cache, authorizer = parts.settings, parts.cache, parts.authorizer
    tokens, authenticate = authentication.configured(cache, parts.signer, settings, parts.clock)
    metering = Metering(cache)
    router = _router(parts, Reviews(authorizer, tokens), aggregator, checks, metering)
    current = (ConsistentReads(parts.store, cache),) if parts.store.is_shared else ()
    last: tuple[Stage, ...] = (authorizer, *current, aggregator.stage)
    audited = audit_log.configured(settings, parts.clock, parts.random)
    audit = (audited[0],) if audited else ()
    unauthenticated = (audited[0].unauthenticated,) if audited else ()
    width = width_by_objects(parts.kinds, cache)
    of_strangers: tuple[Stage, ...] = (
        *unauthenticated,
        authenticate,
        *audit,
        Impersonation(authorizer),
        Fairness(cache, settings.concurrent_requests, width),
    )
    return Stages(
        outside=chained((metering, answer, *of_strangers, *last), router),
        inside=chained((metering, answer, *audit, *last), router),
        audit_log=audited[1] if audited else None,
    )


def _router(
    parts: Parts,
    reviews: Reviews,
    aggregator: Aggregator,
    checks: Mapping[str, Check],
    metering: Metering,
) -> Router:
    """What answers: handlers of resources, and documents for every other path."""
    address = f"{parts.settings.advertised_address}:{parts.settings.port}"
    documents = Documents(parts.kinds, address, checks, metering.exposition, aggregator.versions)
    paths = IssuerDocuments(parts.signer, address, documents)
    return Router(parts.kinds, parts.cache, handlers(parts), posted(parts, reviews.create), paths)
