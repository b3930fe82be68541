"""Seccomp profiles that users give, in Docker's form and in that of the OCI."""

import json

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime.seccomp_document import SeccompHost, seccomp_document

HOST = SeccompHost("x86_64", "6.1.0-9-amd64")


def names(*rules: dict[str, object], capabilities: frozenset[str] = frozenset()) -> list[str]:
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": list(rules)}
    document = seccomp_document(json.dumps(profile), capabilities, HOST)
    return [name for entry in document["syscalls"] for name in entry["names"]]


def rule(name: str, **conditions: object) -> dict[str, object]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW"} | conditions


def test_rules_hold_under_their_conditions() -> None:
    found = names(
        rule("always"),
        rule("needs", includes={"caps": ["CAP_SYS_ADMIN"]}),
        rule("not-with", excludes={"caps": ["CAP_SYS_ADMIN"]}),
        rule("old", includes={"minKernel": "4.8"}),
        rule("new", includes={"minKernel": "6.2"}),
        rule("arm", includes={"arches": ["arm64"]}),
        rule("amd", includes={"arches": ["amd64", "x32"]}),
    )
    assert found == ["always", "not-with", "old", "amd"]
    with_it = names(
        rule("needs", includes={"caps": ["CAP_SYS_ADMIN"]}),
        rule("not-with", excludes={"caps": ["CAP_SYS_ADMIN"]}),
        capabilities=frozenset(["CAP_SYS_ADMIN"]),
    )
    assert with_it == ["needs"]


def test_architectures_are_those_of_this_machine() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        ],
    }
    document = seccomp_document(json.dumps(profile), frozenset(), HOST)
    assert document["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


def test_arguments_and_errors_are_passed_on() -> None:
    argument = {"index": 0, "value": 8, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "syscalls": [
            {"name": "x", "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [argument]},
        ],
    }
    document = seccomp_document(json.dumps(profile), frozenset(), HOST)
    assert document["defaultErrnoRet"] == 38
    assert document["syscalls"] == [
        {"names": ["x"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [argument]}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"defaultAction": "ALLOW"}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ALLOW"}]}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "x", "action": "NO"}]}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "x", "action": '
        '"SCMP_ACT_ALLOW", "includes": {"minKernel": "x"}}]}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["a"], "archMap": '
        '[{"architecture": "a"}]}',
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfiguration):
        seccomp_document(text, frozenset(), HOST)
