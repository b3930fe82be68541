"""Our own command line fills templates as Docker's does, from the same engine."""

import os
import subprocess
import sys

import pytest
from engines import IMAGE, Sampan
from harness import ROOT

pytestmark = pytest.mark.real

QUESTIONS = [
    ("ps", "-a", "--no-trunc", "--format", "{{json .Labels}} {{.Command}} {{.Size}} {{.ID}}"),
    ("ps", "-a", "--format", "table {{.Names}}\\t{{.Image}}\\t{{.Label `of`}}"),
    ("ps", "-a", "--format", "{{range split .Labels `,`}}<{{.}}>{{end}}{{pad .Names 1 2}}|"),
    ("images", "--format", "{{.Repository | upper}} {{truncate .ID 4}} {{title .Tag}}"),
    ("network", "ls"),
    ("network", "ls", "--format", "{{json .Labels}} {{json .CreatedAt}} {{.Scope}} {{.Internal}}"),
    ("volume", "ls", "--format", "{{.Name}}{{if eq .Driver `local`}} here{{else}} there{{end}}"),
    ("history", "--format", "{{.Size}} {{.CreatedBy}}", IMAGE),
    ("inspect", "-f", "{{json .Config.Labels}} {{.Config.Labels.none}}", "one"),
    ("inspect", "-f", "{{join .Config.Cmd `, `}} {{len .Config.Env}} {{.State.Running}}", "one"),
    ("inspect", "-f", "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "one"),
    ("inspect", "-f", "{{with .State}}{{printf `%-9s|%03d` .Status .ExitCode}}{{end}}", "one"),
    ("inspect", "-f", "{{.Name | lower | printf `%q`}} {{- if .State.Health}} x{{end}}", "one"),
    ("inspect", "-f", "{{index .Config.Labels `of`}} {{not .State.Paused}} {{println 1 2}}", "one"),
    ("network", "inspect", "-f", "{{.Name}} {{.Driver}} {{.Internal}} {{.Labels}}", "bridge"),
]


def test_templates_are_filled_as_dockers_own_client_does(sampan: Sampan) -> None:
    labels = ("--label", "of=<a>", "--label", "by=b")
    made = sampan.command("create", "--name", "one", *labels, IMAGE, "sleep", "10")
    assert made.returncode == 0, made.stderr
    try:
        for words in QUESTIONS:
            theirs = sampan.command(*words)
            assert theirs.returncode == 0, (words, theirs.stderr)
            assert ours(sampan, *words) == theirs.stdout, words
    finally:
        sampan.command("rm", "-f", "one")


def test_bash_completes_names_that_the_engine_has(sampan: Sampan) -> None:
    assert sampan.command("create", "--name", "harbour", IMAGE, "true").returncode == 0
    try:
        script = (
            "source <(sampan completion bash)\nCOMP_WORDS=(sampan rm ha)\nCOMP_CWORD=2\n"
            '_sampan_completion sampan\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        assert run(sampan, "bash", "-c", script).split() == ["harbour"]
    finally:
        sampan.command("rm", "-f", "harbour")


def ours(engine: Sampan, *words: str) -> str:
    return run(engine, sys.executable, "-m", "sampan", *words)


def run(engine: Sampan, *command: str) -> str:
    changed = {"SAMPAN_INSTANCE": engine.instance.name, "PYTHONPATH": str(ROOT / "src")}
    changed["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    environment = os.environ | changed
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
