"""What single instructions mean: configurations, histories, mounts and modes."""

import pytest

from sampan.engine.build import arguments
from sampan.engine.build.copy_step import CopyStep, parse_copy
from sampan.engine.build.dockerfile import Instruction, parse_dockerfile
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.file_mode import parse_file_mode
from sampan.engine.build.metadata import Scope, apply_changes, change_of
from sampan.engine.build.run_mounts import RunMount, parse_run_mounts
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration, HealthCheck

SCOPE = Scope({"A": "1", "W": "x y"}, "\\")


def instruction(text: str) -> Instruction:
    return parse_dockerfile(f"FROM a\n{text}\n").instructions[1]


@pytest.mark.parametrize(
    ("text", "told", "field", "value"),
    [
        ('ENV B=$A C="$W"', "ENV B=1 C=x y", "env", ("B=1", "C=x y")),
        ("ENV OLD some words", "ENV OLD=some words", "env", ("OLD=some words",)),
        ("LABEL a.b=c", "LABEL a.b=c", "labels", {"a.b": "c"}),
        ('CMD ["a", "b c"]', 'CMD ["a" "b c"]', "cmd", ("a", "b c")),
        ("CMD a $A", 'CMD ["/bin/sh" "-c" "a $A"]', "cmd", ("/bin/sh", "-c", "a $A")),
        ("ENTRYPOINT []", "ENTRYPOINT []", "entrypoint", ()),
        (
            "EXPOSE 8$A 90-92/udp",
            "EXPOSE 81 90-92/udp",
            "exposed_ports",
            {"81/tcp": {}, "90/udp": {}, "91/udp": {}, "92/udp": {}},
        ),
        ("USER $A:2", "USER 1:2", "user", "1:2"),
        ('VOLUME ["/a b", "/c"]', "VOLUME [/a b /c]", "volumes", {"/a b": {}, "/c": {}}),
        ("VOLUME /a /$A", "VOLUME [/a /1]", "volumes", {"/a": {}, "/1": {}}),
        ("STOPSIGNAL SIGRTMIN+3", "STOPSIGNAL SIGRTMIN+3", "stop_signal", "SIGRTMIN+3"),
        ('SHELL ["a", "-c"]', "SHELL [a -c]", "shell", ("a", "-c")),
        (
            "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD curl x",
            'HEALTHCHECK &{["CMD-SHELL" "curl x"] "1m30s" "500ms" "0s" "0s" \'\\x03\'}',
            "healthcheck",
            HealthCheck(
                test=("CMD-SHELL", "curl x"),
                interval=90_000_000_000,
                timeout=500_000_000,
                retries=3,
            ),
        ),
        (
            "HEALTHCHECK NONE",
            'HEALTHCHECK &{["NONE"] "0s" "0s" "0s" "0s" \'\\x00\'}',
            "healthcheck",
            HealthCheck(test=("NONE",)),
        ),
        ("ONBUILD RUN x", "ONBUILD RUN x", "on_build", ("RUN x",)),
    ],
)
def test_changes(text: str, told: str, field: str, value: object) -> None:
    changed = change_of(ExecutionConfiguration(), instruction(text), SCOPE)
    assert changed.told == told
    assert getattr(changed.execution, field) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ENV", "ENV requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", 'can\'t find = in "B"'),
        ("ENV =1", "ENV names can not be blank"),
        ("USER", "USER requires exactly one argument"),
        ("VOLUME", "VOLUME requires at least one argument"),
        ("SHELL x", "SHELL requires the arguments to be in JSON form"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK RUN x", r'Unknown type "RUN" in HEALTHCHECK \(try CMD\)'),
        ("HEALTHCHECK --interval=3 CMD x", 'invalid duration "3"'),
        ("HEALTHCHECK --every=3s CMD x", "unknown flag: --every"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("CMD --x y", "unknown flag: --x"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(InvalidDockerfile, match=f"^dockerfile parse error on line 2: .*{message}"):
        change_of(ExecutionConfiguration(), instruction(text), SCOPE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EXPOSE 80/icmp", "Invalid proto: icmp"),
        ("EXPOSE 9-8", "Invalid containerPort: 9-8"),
        ("STOPSIGNAL a b", "Invalid signal: a b"),
        ("STOPSIGNAL SIGNOSUCH", "Invalid signal: SIGNOSUCH"),
    ],
)
def test_refused_values(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=f"^{message}$") as caught:
        change_of(ExecutionConfiguration(), instruction(text), SCOPE)
    assert caught.value.line == 2


def test_changes_of_a_commit() -> None:
    changed = apply_changes(ExecutionConfiguration(), ["CMD x", "WORKDIR /a", "WORKDIR b"])
    assert (changed.cmd, changed.working_dir) == (("/bin/sh", "-c", "x"), "/a/b")
    for wrong in ("RUN x", "FOO", "ENV"):
        with pytest.raises(InvalidConfiguration):
            apply_changes(ExecutionConfiguration(), [wrong])


def test_arguments_are_given_or_default_or_inherited() -> None:
    found = arguments.declared(
        instruction("ARG A B=own C=$W D"),
        {"B": "given", "D": None},
        {"A": "global"},
        {"W": "w"},
        "\\",
    )
    assert found == {"A": "global", "B": "given", "C": "w", "D": None}
    assert arguments.unconsumed({"X": "", "http_proxy": "", "B": ""}, {"B"}) == ["X"]


def mounts(text: str) -> tuple[RunMount, ...]:
    return parse_run_mounts(instruction(f"RUN {text} x"), lambda word: word, "/w")


def test_mounts() -> None:
    bind, cache, secret, tmpfs = mounts(
        "--mount=target=in,source=/s,from=st --mount=type=cache,target=/c,sharing=locked,uid=3 "
        "--mount=type=secret,id=k,mode=0444 --mount=type=tmpfs,dst=/t,size=2m"
    )
    assert (bind.kind, bind.target, bind.origin, bind.read_only) == ("bind", "/w/in", "st", True)
    assert (cache.identifier, cache.sharing, cache.uid) == ("/c", "locked", 3)
    assert (secret.target, secret.mode) == ("/run/secrets/k", 0o444)
    assert tmpfs.size == 2 << 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--mount=type=nosuch,target=/x", 'unsupported mount type "nosuch"'),
        ("--mount=type=bind", "bind mount requires target"),
        ("--mount=type=tmpfs,target=/x,id=1", "unexpected key 'id' for mount type 'tmpfs'"),
        ("--mount=target", "invalid field 'target' must be a key=value pair"),
        ("--mount=type=cache,target=/x,sharing=none", 'unsupported sharing value "none"'),
        ("--mount=type=secret", "one of id or target"),
        ("--mount=type=tmpfs,target=/x,size=much", "invalid value for size"),
    ],
)
def test_mounts_that_mean_nothing(text: str, message: str) -> None:
    with pytest.raises(InvalidDockerfile, match=message):
        mounts(text)


def copied(text: str) -> CopyStep:
    return parse_copy(instruction(text), ExecutionConfiguration(working_dir="/w"), SCOPE)


def test_copy_and_add() -> None:
    step = copied('COPY --from=$A --chown=u:g --link ["a b", "c", "d/"]')
    assert (step.origin, step.owner, step.links) == ("1", "u:g", True)
    assert (step.sources, step.destination) == (("a b", "c"), "/w/d")
    step = copied("ADD --exclude=x --exclude=y https://e.org/f local /to/")
    assert (step.urls, step.sources) == (("https://e.org/f",), ("local",))
    assert step.excluded == ("x", "y")
    for text, message in (
        ("COPY ../a /", "forbidden path outside the build context"),
        ("COPY a b c", "must be a directory and end with a /"),
        ("ADD git@e.org:a/b.git /", "is a git repository"),
        ("ADD --checksum=md5:1 https://e.org/f /", "unsupported checksum"),
        ("COPY --chmod=rwx a /", "invalid chmod parameter"),
        ("COPY --link=maybe a /", "expecting boolean value for flag link"),
    ):
        with pytest.raises(BuildFailed, match=message):
            copied(text)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("0640", 0o100755, 0o640),
        ("4755", 0o100644, 0o4755),
        ("u=rwX,go=rX", 0o100644, 0o644),
        ("u=rwX,go=rX", 0o100755, 0o755),
        ("u=rwX,go=rX", 0o040700, 0o755),
        ("a+x", 0o100644, 0o755),
        ("go-rwx", 0o100777, 0o700),
        ("+t", 0o040755, 0o1755),
        ("u+s,g=", 0o100755, 0o4705),
    ],
)
def test_modes(text: str, before: int, after: int) -> None:
    assert parse_file_mode(text, 1).applied(before) == after
