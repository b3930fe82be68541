"""What is wrong whatever variables stand for is told before anything is built; the rest is not."""

import pytest

from sampan.engine.build.dockerfile import parse_dockerfile
from sampan.engine.build.errors import InvalidDockerfile
from sampan.engine.build.syntax import check_syntax


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("COPY one", "COPY requires at least two arguments, but only one was provided"),
        ("COPY --nosuch a b", "unknown flag: --nosuch"),
        ("ADD --from=x a b", "unknown flag: --from"),
        ("RUN", "RUN requires at least one argument"),
        ("RUN --user=x y", "unknown flag: --user"),
        ("ENV a", "ENV must have two arguments"),
        ("LABEL", "LABEL requires at least one argument"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("USER --x y", "unknown flag: --x"),
        ("ARG --x y", "unknown flag: --x"),
        ('VOLUME [""]', "VOLUME specified can not be an empty string"),
        ("SHELL sh", "SHELL requires the arguments to be in JSON form"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
    ],
)
def test_refused_at_once(text: str, message: str) -> None:
    dockerfile = parse_dockerfile(f"FROM scratch\n{text}\n")
    with pytest.raises(InvalidDockerfile, match=f"^dockerfile parse error on line 2: {message}"):
        check_syntax(dockerfile)


@pytest.mark.parametrize(
    "text",
    [
        "EXPOSE $PORT",
        "EXPOSE abc",
        "STOPSIGNAL $S",
        "STOPSIGNAL nosuch",
        "VOLUME $PLACE",
        "COPY $FILES /",
        "COPY --chmod=$MODE a b",
        "ADD --checksum=$SUM http://a/b c",
        "ENV a=${b:?needed}",
        'ENV a="b',
        "ENV $NAME=value",
        "USER $WHO",
    ],
)
def test_left_for_later(text: str) -> None:
    check_syntax(parse_dockerfile(f"FROM scratch\n{text}\n"))
