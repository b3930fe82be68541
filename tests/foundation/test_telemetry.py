"""A log line is one line, tells its facts, and no secrets."""

import io
import logging
from collections.abc import Iterator

import pytest

from sampan.foundation.telemetry import LineFormatter, set_up_logging


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("server"))
    logger = logging.getLogger("sampan.tests.telemetry")
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_a_line_names_its_facts(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.warning("a pod was evicted", extra={"pod": "default/web", "after_seconds": 5})
    line = stream.getvalue()
    assert line.endswith(
        "level=warning component=server logger=sampan.tests.telemetry"
        ' message="a pod was evicted" pod=default/web after_seconds=5\n'
    )


@pytest.mark.parametrize("text", ["two\nlines", "a\rb", "a\x1b[31mb", 'quo"te', "sp ace", ""])
def test_nothing_breaks_the_line(log: tuple[logging.Logger, io.StringIO], text: str) -> None:
    logger, stream = log
    logger.error(text, extra={"value": text})
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert not any(character < " " for character in written[:-1])


def test_an_exception_stays_in_its_line(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("failed")
    assert stream.getvalue().count("\n") == 1
    assert "ValueError: broken" in stream.getvalue()


def test_a_long_line_is_cut(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.error("x" * 100_000)
    assert len(stream.getvalue()) < 10_000


@pytest.mark.parametrize(
    ("message", "extra"),
    [
        ("login", {"token": "hush"}),
        ("login", {"user_password": "hush"}),
        ("Authorization: Bearer hush", {}),
        ("got eyJhbGciOiJFUzI1NiJ9.eyJodXNoIjoxfQ.hush", {}),
        ("key", {"pem": "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n"}),
        ("key", {"pem": "-----BEGIN EC PRIVATE KEY-----\nhush"}),
    ],
)
def test_secrets_are_left_out(
    log: tuple[logging.Logger, io.StringIO], message: str, extra: dict[str, str]
) -> None:
    logger, stream = log
    logger.error(message, extra=extra)
    assert "hush" not in stream.getvalue()
    assert "[redacted]" in stream.getvalue()


def test_setting_up_twice_writes_a_line_once() -> None:
    root, first, second = logging.getLogger(), io.StringIO(), io.StringIO()
    before, level = tuple(root.handlers), root.level
    try:
        set_up_logging("server", first)
        set_up_logging("agent", second)
        logging.getLogger("sampan").info("started")
        assert first.getvalue() == ""
        assert second.getvalue().count("started") == 1
    finally:
        root.handlers[:] = before
        root.setLevel(level)
