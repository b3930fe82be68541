"""The default seccomp profile and the list it is made of."""

import pytest

from sampan.engine.runtime import capabilities
from sampan.engine.runtime.seccomp import InvalidRule, default_profile, parse_rules, seccomp_profile


def names(profile: dict[str, object]) -> set[str]:
    return {
        name
        for entry in profile["syscalls"]
        if entry["action"] == "SCMP_ACT_ALLOW" and "args" not in entry
        for name in entry["names"]
    }


def test_a_capability_opens_its_calls() -> None:
    plain = default_profile(capabilities.DEFAULT)
    more = default_profile(capabilities.DEFAULT | {"CAP_SYS_ADMIN"})
    assert plain["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not names(plain) & {"mount", "unshare", "keyctl", "add_key", "userfaultfd", "kexec_load"}
    assert {"mount", "unshare", "setns"} <= names(more)
    assert "keyctl" not in names(more)


def test_new_namespaces_are_refused_and_clone3_is_not_there() -> None:
    entries = default_profile(capabilities.DEFAULT)["syscalls"]
    clone = next(entry for entry in entries if entry["names"] == ["clone"])
    assert clone["args"][0]["op"] == "SCMP_CMP_MASKED_EQ"
    clone3 = next(entry for entry in entries if entry["names"] == ["clone3"])
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_the_rules_of_the_list() -> None:
    rules = parse_rules("# c\nallow a b # d\nallow c if CAP_X\nallow d argument 1 != 0x10\n")
    profile = seccomp_profile(rules, frozenset(), "x86_64")
    assert names(profile) == {"a", "b"}
    assert profile["syscalls"][0]["args"] == [{"index": 1, "value": 16, "op": "SCMP_CMP_NE"}]
    assert names(seccomp_profile(rules, frozenset({"CAP_X"}), "x86_64")) == {"a", "b", "c"}
    with pytest.raises(InvalidRule):
        parse_rules("forbid a")
