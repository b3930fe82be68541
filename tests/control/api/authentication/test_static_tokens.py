"""A file of tokens."""

import pytest

from sampan.control.api.authentication.static_tokens import (
    InvalidTokenFile,
    StaticTokens,
    parsed,
)

TEXT = 'secret-one,jane,u-1,"devs, ops"\n\nsecret-two,joe,u-2\n'


def test_each_line_names_a_user():
    tokens = StaticTokens(parsed(TEXT), "api")
    jane, joe = tokens.proof("secret-one", ("api",)), tokens.proof("secret-two", ("api", "x"))
    assert jane.identity.groups == ("devs", "ops", "system:authenticated")
    assert (joe.identity.name, joe.identity.uid, joe.audiences) == ("joe", "u-2", ("api",))
    assert tokens.proof("secret-three", ("api",)) is None
    assert tokens.proof("secret-one", ("another",)) is None


@pytest.mark.parametrize("text", ["a,b", ",jane,u", "t,,u", "t,a,u\nt,b,u"])
def test_a_file_with_a_bad_line_is_refused_without_quoting_it(text):
    with pytest.raises(InvalidTokenFile) as caught:
        parsed("secret,jane,u-1\n" + text)
    assert "secret" not in str(caught.value)


def test_the_tokens_themselves_are_not_kept():
    assert not any(b"secret" in key for key in parsed(TEXT))
