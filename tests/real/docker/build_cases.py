"""Builds that two engines are asked for, to be compared: Dockerfiles, parameters, contexts."""

import io
import tarfile
from urllib.parse import quote

import msgspec
from engines import IMAGE

FILES = {
    "sub/file": b"content\n",
    "sub/deep/other": b"other\n",
    "run.sh": b"#!/bin/sh\necho ran\n",
    "left-out.log": b"log\n",
}
TIME = 1_600_000_000


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`parameters` are of `POST /build`; `files` come on top of `FILES`; `times` is how often
    the same is asked for; `image` tells that what comes of it is to be looked at, too."""

    name: str
    dockerfile: str | None
    parameters: dict[str, str] = {}
    files: dict[str, bytes] = {}
    times: int = 1

    @property
    def path(self) -> str:
        words = {"t": f"case-{self.name}", **self.parameters}
        return "/v1.41/build?" + "&".join(f"{key}={quote(text)}" for key, text in words.items())

    def context(self) -> bytes:
        buffer = io.BytesIO()
        files = FILES | self.files
        if self.dockerfile is not None:
            files |= {"Dockerfile": self.dockerfile.encode()}
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in files.items():
                header = tarfile.TarInfo(name)
                header.size, header.mtime = len(data), TIME
                header.mode = 0o755 if name.endswith(".sh") else 0o644
                archive.addfile(header, io.BytesIO(data))
        return buffer.getvalue()


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        header = tarfile.TarInfo("within")
        header.size = 3
        archive.addfile(header, io.BytesIO(b"in\n"))
    return buffer.getvalue()


_F = f"FROM {IMAGE}\n"

CASES = (
    Case(name="plain", dockerfile=_F + "RUN echo hello > /hello\nCMD cat /hello\n", times=2),
    Case(
        name="metadata",
        dockerfile=_F
        + 'MAINTAINER somebody\nENV A=b C="d e"\nENV old style value\nLABEL x=y "z"="two words"\n'
        "EXPOSE 80 53/udp 8000-8002\nUSER app\nWORKDIR /srv/app\nWORKDIR below\nVOLUME /data\n"
        'VOLUME ["/more", "/other"]\nSTOPSIGNAL SIGQUIT\n'
        "HEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD true\n"
        'SHELL ["/bin/sh", "-ec"]\nENTRYPOINT ["cat"]\nCMD ["/etc/passwd"]\nONBUILD RUN echo on\n',
        times=2,
    ),
    Case(
        name="copies",
        dockerfile=_F + "WORKDIR /app\nCOPY . .\nCOPY sub /sub\nCOPY --chown=app:app run.sh /bin/\n"
        "COPY sub/file sub/deep/other /two/\nADD archive.tgz /un\nCOPY archive.tgz /packed/\n"
        "COPY su*/fi?e /matched\nRUN cat /sub/file\n",
        files={"archive.tgz": _archive()},
        times=2,
    ),
    Case(
        name="places",
        dockerfile=_F + "RUN mkdir /dir && ln -s /dir /link && echo old > /dir/file\n"
        "WORKDIR /w\nCOPY sub x\nCOPY sub/file y/\nCOPY sub/* i/\nADD archive.tgz z/\n"
        "COPY --chown=1000 run.sh u1\nCOPY --chown=app run.sh u2\n"
        'COPY --chown=0:1001 run.sh u3\nCOPY --chown=app:app ["sub", "u 4"]\n'
        "COPY sub/file /link/\nVOLUME /data\nRUN echo 1 > /data/x\nCOPY sub/file /data/\n"
        "USER app\nWORKDIR /home/app/in\n",
        files={"archive.tgz": _archive()},
    ),
    Case(
        name="variables",
        dockerfile=_F + "ENV A=x B=${A:-q} C=${NO:-dflt} D=${NO:+set} E='$A' F=\"$A b\" G=\\$A\n"
        'ENV B=$A$A\nLABEL l=$B m="${C}"\nEXPOSE ${P:-81}\nWORKDIR /$A/${B}\n'
        "USER ${U:-app}\nVOLUME /$A\nSTOPSIGNAL ${S:-TERM}\nENV x y z\n",
    ),
    Case(name="bad-from-stage", dockerfile=_F + "COPY --from=9 /x /y\n"),
    Case(name="commands", dockerfile=_F + 'ENTRYPOINT ["e"]\nCMD ["c"]\n'),
    Case(name="commands-below", dockerfile='FROM case-commands\nENTRYPOINT ["n"]\n'),
    Case(
        name="arguments",
        dockerfile=f"ARG BASE={IMAGE}\nARG UNSET\nFROM $BASE\nARG WHO=nobody\nARG BASE\nARG NONE\n"
        "RUN echo $WHO $BASE $HTTP_PROXY\nENV WHO=env\nRUN echo $WHO\n",
        parameters={"buildargs": '{"WHO":"sea","ODD":"1","HTTP_PROXY":"http://p"}'},
        times=2,
    ),
    Case(
        name="stages",
        dockerfile=f"FROM {IMAGE} AS one\nRUN echo 1 > /one\nFROM {IMAGE} AS two\n"
        "COPY --from=one /one /two\nFROM one\nCOPY --from=two /two /\nCOPY --from=0 /one /uno\n"
        "CMD cat /two\n",
        times=2,
    ),
    Case(
        name="target",
        dockerfile=f"FROM {IMAGE} AS one\nENV a=1\nFROM {IMAGE} AS two\nENV a=2\n"
        f"FROM {IMAGE}\nRUN false\n",
        parameters={"target": "two"},
    ),
    Case(
        name="labels",
        dockerfile=_F + "LABEL own=1\n",
        parameters={"labels": '{"b":"two words","a":"1","q":"quo\\"te"}'},
    ),
    Case(name="base-alone", dockerfile=_F),
    Case(name="on-build", dockerfile=_F + "ONBUILD RUN echo triggered\nONBUILD ENV X=y\n"),
    Case(name="triggered", dockerfile="FROM case-on-build\nRUN echo $X\n", times=2),
    Case(name="scratch", dockerfile='FROM scratch\nCOPY sub/file /\nCMD ["/file"]\n'),
    Case(name="scratch-alone", dockerfile="FROM scratch\n"),
    Case(name="scratch-label", dockerfile="FROM scratch\nLABEL a=b\n"),
    Case(
        name="volumes",
        dockerfile=_F + "RUN mkdir /v && echo 1 > /v/1\nVOLUME /v\n"
        "RUN echo 2 > /v/2; ls /v\nRUN ls /v\n",
    ),
    Case(name="quiet", dockerfile=_F + "RUN echo unheard\n", parameters={"q": "1"}),
    Case(name="quiet-failure", dockerfile=_F + "RUN echo heard; exit 3\n", parameters={"q": "1"}),
    Case(name="kept", dockerfile=_F + "ENV k=1\nRUN echo kept\n", parameters={"rm": "0"}),
    Case(name="forced", dockerfile=_F + "RUN exit 4\n", parameters={"rm": "1", "forcerm": "1"}),
    Case(name="failing", dockerfile=_F + 'RUN ["sh", "-c", "echo err >&2; exit 7"]\n'),
    Case(name="no-program", dockerfile=_F + 'RUN ["nosuch", "word"]\n'),
    Case(name="unknown", dockerfile=_F + "FOO bar\n"),
    Case(name="unknown-two", dockerfile=_F + "FOO bar\nRUM x\n"),
    Case(name="unknown-flag", dockerfile=_F + "COPY --nosuch=1 a b\n"),
    Case(name="empty", dockerfile=""),
    Case(name="comments", dockerfile="# nothing\n\n"),
    Case(name="no-dockerfile", dockerfile=None),
    Case(name="other-file", dockerfile=None, parameters={"dockerfile": "nosuch/Dockerfile"}),
    Case(name="outside", dockerfile=_F, parameters={"dockerfile": "../Dockerfile"}),
    Case(name="no-from", dockerfile="RUN echo\n"),
    Case(name="from-nothing", dockerfile="FROM\n"),
    Case(name="from-many", dockerfile="FROM a b\n"),
    Case(name="from-blank", dockerfile="ARG X\nFROM ${X}\n"),
    Case(name="bad-stage-name", dockerfile=f"FROM {IMAGE} AS 1x\n"),
    Case(name="bad-base", dockerfile="FROM In:valid:name\n"),
    Case(name="no-target", dockerfile=_F, parameters={"target": "nosuch"}),
    Case(name="missing", dockerfile=_F + "COPY nosuch /\n"),
    Case(name="missing-match", dockerfile=_F + "COPY nosuch* /\n"),
    Case(
        name="ignored-file",
        dockerfile=_F + "COPY left-out.log /\n",
        files={".dockerignore": b"*.log\n"},
    ),
    Case(name="missing-add", dockerfile=_F + "ADD nosuch /\n"),
    Case(name="above", dockerfile=_F + "COPY ../file /\n"),
    Case(name="copy-one", dockerfile=_F + "COPY file\n"),
    Case(name="copy-many", dockerfile=_F + "COPY sub run.sh /file\n"),
    Case(
        name="missing-in-stage",
        dockerfile=f"FROM {IMAGE} AS a\nFROM {IMAGE}\nCOPY --from=a /nosuch /\n",
    ),
    Case(name="bad-owner", dockerfile=_F + "COPY --chown=nosuch run.sh /\n"),
    Case(name="bad-env", dockerfile=_F + "ENV a\n"),
    Case(name="bad-env-two", dockerfile=_F + "ENV a=b c\n"),
    Case(name="bad-label", dockerfile=_F + "LABEL\n"),
    Case(name="bad-expose", dockerfile=_F + "EXPOSE abc\n"),
    Case(name="bad-proto", dockerfile=_F + "EXPOSE 80/xyz\n"),
    Case(name="bad-signal", dockerfile=_F + "STOPSIGNAL NOSUCH\n"),
    Case(name="bad-health", dockerfile=_F + "HEALTHCHECK FOO\n"),
    Case(name="bad-health-time", dockerfile=_F + "HEALTHCHECK --interval=x CMD a\n"),
    Case(name="bad-shell", dockerfile=_F + "SHELL /bin/sh\n"),
    Case(name="bad-volume", dockerfile=_F + 'VOLUME [""]\n'),
    Case(name="bad-on-build", dockerfile=_F + "ONBUILD ONBUILD RUN a\n"),
    Case(name="bad-on-build-from", dockerfile=_F + "ONBUILD FROM a\n"),
    Case(name="bad-quote", dockerfile=_F + 'ENV a="b\n'),
    Case(name="bad-variable", dockerfile=_F + "ENV a=${b\n"),
    Case(name="bad-escape", dockerfile="# escape=x\n" + _F),
    Case(name="run-nothing", dockerfile=_F + "RUN\n"),
    Case(name="two-commands", dockerfile=_F + "CMD a\nCMD b\nENTRYPOINT c\n"),
    Case(name="escapes", dockerfile="# escape=`\n" + _F + "ENV a=`$b c=d`\n  e=f\n"),
    Case(name="gap", dockerfile=_F + "ENV a=b \\\n\n  # comment\n  c=d\n"),
    Case(name="bad-tag", dockerfile=_F, parameters={"t": "In Valid"}),
    Case(name="squash", dockerfile=_F, parameters={"squash": "1"}),
    Case(name="isolation", dockerfile=_F, parameters={"isolation": "hyperv"}),
    Case(name="bad-memory", dockerfile=_F + "LABEL a=b\n", parameters={"memory": "abc"}),
    Case(name="bad-arguments", dockerfile=_F, parameters={"buildargs": "{"}),
    Case(name="bad-labels", dockerfile=_F, parameters={"labels": "{"}),
    Case(name="bad-cache", dockerfile=_F, parameters={"cachefrom": "{"}),
    Case(name="bad-ulimits", dockerfile=_F, parameters={"ulimits": "{"}),
    Case(name="bad-platform", dockerfile=_F, parameters={"platform": "x/y/z/w"}),
    Case(name="bad-version", dockerfile=_F, parameters={"version": "9"}),
    Case(name="bad-network", dockerfile=_F + "RUN true\n", parameters={"networkmode": "nosuch"}),
    Case(
        name="limits",
        dockerfile=_F
        + "RUN ulimit -n; cat /etc/hosts /sys/fs/cgroup/memory/memory.limit_in_bytes\n",
        parameters={
            "extrahosts": "here:10.1.2.3",
            "networkmode": "none",
            "memory": str(64 << 20),
            "shmsize": str(32 << 20),
            "ulimits": '[{"Name":"nofile","Soft":512,"Hard":1024}]',
        },
    ),
    Case(name="no-cache", dockerfile=_F + "ENV z=1\n", parameters={"nocache": "1"}, times=2),
    Case(
        name="cache-from",
        dockerfile=_F + "RUN echo hello > /hello\nCMD cat /hello\n",
        parameters={"cachefrom": '["case-plain"]'},
    ),
    Case(name="remote", dockerfile=_F, parameters={"remote": "nosuch"}),
    Case(name="remote-git", dockerfile=_F, parameters={"remote": "git://127.0.0.1:1/x.git"}),
    Case(name="remote-http", dockerfile=_F, parameters={"remote": "http://127.0.0.1:1/x"}),
    Case(name="add-url", dockerfile=_F + "ADD http://127.0.0.1:1/x /\n"),
)
