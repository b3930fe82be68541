"""Advice names the instance that it is about."""

from sampan.foundation.instance_name import DEFAULT_NAME, command_prefix


def test_advice_is_about_the_instance_that_was_asked_for() -> None:
    assert command_prefix(DEFAULT_NAME) == "sampan"
    assert command_prefix("blue") == "sampan --instance blue"
