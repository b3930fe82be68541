"""`docker compose` with applications of several services: one on Redis, one on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from composing import COMPOSE, Compose, application
from engines import RunningEngine
from harness import eventually

MISSING = [] if shutil.which("docker") else ["docker"]
if not COMPOSE.exists():
    MISSING.append("docker-compose (make clients)")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
    pytest.mark.usefixtures("images"),
]


@pytest.fixture
def compose(
    sampan: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Compose]:
    """A page that counts its visitors and takes orders, workers, and Redis."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    folder = tmp_path / "application"
    with application(sampan, "redis", folder, "http://127.0.0.1:8090") as command:
        yield command


@pytest.fixture
def shop(
    sampan: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Compose]:
    """A shop behind nginx, packers, PostgreSQL, and a job that makes its tables."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    folder = tmp_path / "shop"
    with application(sampan, "postgres", folder, "http://127.0.0.1:8091") as command:
        yield command


def test_an_application(compose: Compose, sampan: RunningEngine) -> None:
    compose("up", "-d", "--wait")
    assert compose.services() == {
        "application-store-1": "healthy",
        "application-web-1": "healthy",
        "application-worker-1": "running",
    }
    assert compose.fetch("/") == "hello 1"
    compose.fetch("/order/tea")
    eventually(lambda: compose.fetch("/done") == "tea", 10, "the order is carried out")
    assert "worker-1  | did tea" in compose("logs", "worker").splitlines()
    assert compose("exec", "-T", "store", "redis-cli", "scard", "done") == "1"
    assert compose("port", "web", "8080") == "127.0.0.1:8090"
    ping = ["python", "-c", "from store import ask; print(ask('PING'))"]
    assert compose("run", "--rm", "-T", "--no-deps", "worker", *ping) == "PONG"

    compose("up", "-d", "--scale", "worker=3")
    workers = compose.services("worker")
    assert workers == {f"application-worker-{number}": "running" for number in (1, 2, 3)}
    for number in range(6):
        compose.fetch(f"/order/{number}")
    wanted = "0 1 2 3 4 5 tea"
    eventually(lambda: compose.fetch("/done") == wanted, 10, "all orders are carried out")
    compose("up", "-d", "--scale", "worker=1", "--no-recreate")
    assert list(compose.services("worker")) == ["application-worker-1"]

    compose("stop", "-t", "1", "web")
    assert compose.services("-a", "web") == {"application-web-1": "exited"}
    compose("start", "web")
    eventually(lambda: compose.services("web") == {"application-web-1": "healthy"}, 10, "well")
    compose("restart", "-t", "1", "store")
    eventually(lambda: compose.services("store") == {"application-store-1": "healthy"}, 10, "well")
    assert compose.fetch("/") == "hello 2"
    assert "store" in compose("top", "store")
    assert compose("images", "-q") != ""

    compose("down", "-t", "1")
    assert compose.services("-a") == {}
    compose("up", "-d", "--wait")
    assert compose.fetch("/") == "hello 3"
    compose("down", "-v", "-t", "1")
    left = sampan.command("volume", "ls", "-q", "-f", "label=com.docker.compose.project")
    networks = sampan.command("network", "ls", "-q", "-f", "label=com.docker.compose.project")
    assert (left.stdout, networks.stdout) == ("", "")


def test_what_has_changed_is_made_anew(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    compose("up", "-d", "--wait")
    before = compose("ps", "-q", "web"), compose("ps", "-q", "store")
    monkeypatch.setenv("GREETING", "welcome")
    compose("up", "-d", "--wait")
    after = compose("ps", "-q", "web"), compose("ps", "-q", "store")
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert compose.fetch("/") == "welcome 1"


def test_a_shop_on_postgres(shop: Compose, sampan: RunningEngine) -> None:
    shop("up", "-d")
    eventually(lambda: shop.services("web") == {"shop-web-1": "healthy"}, 30, "the shop is open")
    assert shop.services() == {
        "shop-database-1": "healthy",
        "shop-front-1": "running",
        "shop-packer-1": "running",
        "shop-web-1": "healthy",
    }
    assert shop.services("-a", "tables") == {"shop-tables-1": "exited"}
    assert shop.fetch("/order/tea") == "1"
    eventually(lambda: shop.fetch("/packed") == "tea", 10, "the order is packed")
    assert "packed tea" in shop("logs", "packer")
    count = ["psql", "-U", "postgres", "-d", "shop", "-Atc", "SELECT count(*) FROM orders"]
    assert shop("exec", "-T", "database", *count) == "1"

    shop("up", "-d", "--no-recreate", "--scale", "packer=3")
    wanted = ["tea", *(str(number) for number in range(9))]
    for name in wanted[1:]:
        shop.fetch(f"/order/{name}")
    eventually(lambda: shop.fetch("/packed").split() == wanted, 10, "all orders are packed")
    assert len(shop.services("packer")) == 3

    shop("down", "-t", "1")
    shop("up", "-d")
    eventually(lambda: shop.services("web") == {"shop-web-1": "healthy"}, 30, "the shop is open")
    assert shop.fetch("/packed").split() == wanted
    shop("down", "-v", "-t", "1")
    left = sampan.command("volume", "ls", "-q", "-f", "label=com.docker.compose.project=shop")
    assert left.stdout == ""
