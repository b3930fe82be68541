import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi import detach_keys, image_filters, json_stream, multiplexing, times
from sampan.faces.dockerapi.detach_keys import DetachKeys
from sampan.faces.dockerapi.filters import parse
from sampan.faces.dockerapi.human_durations import human
from sampan.faces.dockerapi.platforms import platform_of


def test_a_frame_is_stream_length_and_bytes():
    assert multiplexing.frame("stderr", b"abc") == b"\x02\0\0\0\0\0\0\x03abc"


@pytest.mark.parametrize(
    ("version", "terminal", "kind"),
    [((1, 41), False, "raw"), ((1, 42), False, "multiplexed"), ((1, 52), True, "raw")],
)
def test_streams_have_names(version, terminal, kind):
    named = multiplexing.content_type(version, terminal=terminal)
    assert named == f"application/vnd.docker.{kind}-stream"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", b"\x10\x11"),
        ("ctrl-a,b", b"\x01b"),
        ("ctrl-@,ctrl-[,ctrl-_", b"\0\x1b\x1f"),
        ("x", b"x"),
    ],
)
def test_keys(text, keys):
    assert detach_keys.parsed(text) == keys


@pytest.mark.parametrize("text", ["ab", "ctrl-1", "ctrl-", ",", "ü"])
def test_keys_that_are_none(text):
    with pytest.raises(InvalidConfiguration):
        detach_keys.parsed(text)


@given(st.lists(st.binary(max_size=4)), st.binary(max_size=3))
def test_what_is_typed_arrives_up_to_the_keys_however_it_is_cut(pieces, tail):
    typed = b"".join(pieces).replace(b"\x10", b"p")
    cut = [piece.replace(b"\x10", b"p") for piece in pieces]
    finder = DetachKeys()
    passed = b""
    for piece in [*cut, b"\x10", b"\x11" + tail]:
        data, left = finder.feed(piece)
        passed += data
        if left:
            break
    assert (passed, left) == (typed, True)


def test_the_start_of_the_keys_alone_is_passed_on_later():
    finder = DetachKeys(b"\x10\x11")
    assert finder.feed(b"a\x10") == (b"a", False)
    assert finder.feed(b"\x10") == (b"\x10", False)
    assert finder.feed(b"b") == (b"\x10b", False)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", 0),
        ("12", 12 * times.SECOND),
        ("12.5", 12_500_000_000),
        ("1970-01-01T00:00:01.25Z", 1_250_000_000),
        ("1970-01-01T01:00:01+01:00", times.SECOND),
        ("1970-01-02", 86_400 * times.SECOND),
        ("10m", 400 * times.SECOND),
        ("1h", -2600 * times.SECOND),
    ],
)
def test_moments(text, moment):
    assert times.read(text, 1000 * times.SECOND) == moment


@pytest.mark.parametrize("text", ["yesterday", "5x", "1970-13-01", "--1"])
def test_moments_that_are_none(text):
    with pytest.raises(InvalidConfiguration):
        times.read(text, 0)


def test_moments_are_written_as_go_does():
    assert times.written(0) == "0001-01-01T00:00:00Z"
    assert times.written(1_500_000_000) == "1970-01-01T00:00:01.5Z"
    assert times.written(2_000_000_000) == "1970-01-01T00:00:02Z"
    assert times.padded(2_000_000_001) == "1970-01-01T00:00:02.000000001Z"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
        (120, "2 minutes"), (3600, "About an hour"), (7200, "2 hours"), (172_800, "2 days"),
        (1_209_600, "2 weeks"), (5_184_000, "2 months"), (63_072_000, "2 years"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds, words):
    assert human(seconds) == words


def test_a_hostile_pattern_matches_in_linear_time():
    filters = parse('{"name": ["(a+)+$"]}')
    assert not filters.matches("name", "a" * 5000 + "b")


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("app:latest", "app", True), ("app:latest", "a*", True), ("app:1", "*:1", True),
        ("team/app:1", "app", False), ("team/app:1", "*", False), ("team/app:1", "team/*", True),
        ("host:5000/app:1", "host:5000/app", True),
    ],
)  # fmt: skip
def test_patterns_of_names(name, pattern, fits):
    assert image_filters.fits_reference(name, pattern) is fits


def test_platforms_in_both_forms():
    assert platform_of("linux/arm/v7") == "linux/arm/v7"
    assert platform_of('{"os":"linux","architecture":"arm","variant":"v7"}') == "linux/arm/v7"
    with pytest.raises(InvalidConfiguration):
        platform_of("{")


def test_sizes_have_four_digits():
    assert [json_stream.human_size(size) for size in (0, 999, 1500, 12_345_678)] == [
        "0B",
        "999B",
        "1.5kB",
        "12.35MB",
    ]
