"""Users of containers, by number and by name."""

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime.users import ResolvedUser, resolve_user

PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\nbroken:line\n"
GROUP = "root:x:0:\napp:x:1001:\nextra:x:1002:app,other\n"


@pytest.mark.parametrize(
    ("user", "resolved"),
    [
        ("", ResolvedUser(0, 0, (), "/root")),
        ("app", ResolvedUser(1000, 1001, (1002,), "/home/app")),
        ("1000", ResolvedUser(1000, 1001, (1002,), "/home/app")),
        ("app:extra", ResolvedUser(1000, 1002, (), "/home/app")),
        ("app:77", ResolvedUser(1000, 77, (), "/home/app")),
        ("4000", ResolvedUser(4000, 0)),
        ("4000:4001", ResolvedUser(4000, 4001)),
    ],
)
def test_users(user: str, resolved: ResolvedUser) -> None:
    assert resolve_user(user, PASSWD, GROUP, ()) == resolved


@pytest.mark.parametrize("user", ["1000", "01000"])
def test_no_image_gives_another_meaning_to_a_number(user: str) -> None:
    passwd = "1000:x:0:0::/:/bin/sh\n01000:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"
    group = "1000:x:0:\n"
    assert resolve_user(user, passwd, group, ()) == ResolvedUser(1000, 1000, (), "/")
    assert resolve_user(f"{user}:1000", passwd, group, ()).gid == 1000


@pytest.mark.parametrize("numbers", ["4294967296:1", "1:4294967296", "٠:1", "-1:1"])
def test_accounts_with_impossible_numbers_do_not_count(numbers: str) -> None:
    with pytest.raises(InvalidConfiguration):
        resolve_user("app", f"app:x:{numbers}::/:/bin/sh\n", "", ())


def test_further_groups_are_added() -> None:
    assert resolve_user("app", PASSWD, GROUP, (5, 1002)).groups == (5, 1002)


@pytest.mark.parametrize("user", ["nosuch", "app:nosuch", "99999999999", "4294967295", "-1", "٠"])
def test_unknown_users_are_refused(user: str) -> None:
    with pytest.raises(InvalidConfiguration):
        resolve_user(user, PASSWD, GROUP, ())
