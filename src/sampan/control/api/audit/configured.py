"""The audit log as the settings ask for it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random

from sampan.control.api.audit.log_file import AuditLog, Rotation
from sampan.control.api.audit.policy import DEFAULT_POLICY, InvalidPolicy, Policy, policy_of
from sampan.control.api.audit.stage import Audit
from sampan.control.api.settings import ApiSettings
from sampan.kubernetes.machinery import codecs, yaml_documents


def configured(
    settings: ApiSettings, clock: Callable[[], datetime], random: Random
) -> tuple[Audit, AuditLog] | None:
    """The stage and its log; None when there is to be none.

    Raises InvalidPolicy for a file that is no audit policy, and OSError.
    """
    if settings.audit_log is None:
        return None
    log = AuditLog(settings.audit_log, Rotation())
    return Audit(_policy(settings.audit_policy_file), log, clock, random), log


def _policy(path: Path | None) -> Policy:
    if path is None:
        return DEFAULT_POLICY
    try:
        return policy_of(yaml_documents.decode(path.read_bytes()).tree)
    except (InvalidPolicy, codecs.InvalidBody) as error:
        raise InvalidPolicy(f"{path}: {error}") from error
