"""Servers that nobody here wrote, in images made of Debian's packages, run as people run them."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from engines import RunningEngine
from harness import eventually

pytestmark = [
    pytest.mark.real,
    pytest.mark.usefixtures("images"),
    pytest.mark.skipif(shutil.which("docker") is None, reason="needs docker"),
]
Docker = Callable[..., str]


@pytest.fixture
def docker(sampan: RunningEngine) -> Iterator[Docker]:
    """The command line: what it says, without the last line end, when it succeeds."""

    def run(*words: str, stdin: str = "") -> str:
        done = sampan.command(*words, stdin=stdin)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    yield run
    sampan.command("rm", "-fv", "server")
    sampan.command("volume", "rm", "-f", "data")


def _succeeds(sampan: RunningEngine, *words: str) -> bool:
    return sampan.command(*words).returncode == 0


def test_debian_is_whole(docker: Docker) -> None:
    script = "dpkg --audit && apt-get check -qq && id www-data && . /etc/os-release && echo $ID"
    said = docker("run", "--rm", "debian:12", "sh", "-c", script)
    assert said == "uid=33(www-data) gid=33(www-data) groups=33(www-data)\ndebian"


def test_python(docker: Docker) -> None:
    program = "import sqlite3, ssl, psycopg2, sys; print(sys.version_info[:2])"
    assert docker("run", "--rm", "python:3.11", "python", "-c", program) == "(3, 11)"


def test_nginx(docker: Docker, sampan: RunningEngine) -> None:
    docker("run", "-d", "--name", "server", "-p", "127.0.0.1:8081:80", "nginx:1.22")
    fetch = ("curl", "-sS", "--fail", "-m", "5", "http://127.0.0.1:8081/")
    page = eventually(lambda: sampan.namespaces.run(*fetch).stdout, 10, "a page")
    assert "Welcome to nginx" in page
    eventually(lambda: '"GET / HTTP/1.1" 200' in docker("logs", "server"), 5, "a line of the log")
    docker("stop", "-t", "5", "server")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "server") == "0"


def test_redis_keeps_its_data_and_is_its_own_user(docker: Docker, sampan: RunningEngine) -> None:
    start = ("run", "-d", "--name", "server", "-v", "data:/data", "redis:7.0")
    docker(*start, "--appendonly", "yes")
    ping = ("exec", "server", "redis-cli", "ping")
    eventually(lambda: _succeeds(sampan, *ping), 10, "Redis answers")
    assert docker("exec", "server", "redis-cli", "set", "kept", "1") == "OK"
    assert docker("exec", "server", "stat", "-c", "%U", "/proc/1") == "redis"
    docker("stop", "server")
    docker("rm", "server")
    docker(*start, "--appendonly", "yes")
    eventually(lambda: _succeeds(sampan, *ping), 10, "Redis answers")
    assert docker("exec", "server", "redis-cli", "get", "kept") == "1"


def test_postgresql_makes_its_database_once(docker: Docker, sampan: RunningEngine) -> None:
    start = ("run", "-d", "--name", "server", "-h", "db", "-v", "data:/var/lib/postgresql/data")
    start += ("-e", "POSTGRES_PASSWORD=secret", "-e", "POSTGRES_DB=shop", "postgres:15")
    ask = ("exec", "-i", "-e", "PGPASSWORD=secret", "server", "psql", "-h", "db")
    ask += ("-U", "postgres", "-At", "-d", "shop", "-c")
    docker(*start)
    eventually(lambda: _succeeds(sampan, *ask, "select 1"), 20, "PostgreSQL answers")
    docker(*ask, "create table orders (name text)")
    assert docker(*ask, "copy orders from stdin", stdin="tea\ncoffee\n") == "COPY 2"
    wrong = sampan.command(*[word.replace("secret", "guessed") for word in ask], "select 1")
    assert "password authentication failed" in wrong.stderr
    docker("stop", "server")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "server") == "0"
    docker("rm", "server")
    docker(*start)
    eventually(lambda: _succeeds(sampan, *ask, "select 1"), 20, "PostgreSQL answers")
    assert docker(*ask, "select * from orders order by name") == "coffee\ntea"
    assert "the database is made" not in docker("logs", "server")


def test_postgresql_wants_a_password(sampan: RunningEngine) -> None:
    done = sampan.command("run", "--rm", "postgres:15")
    assert (done.returncode, done.stderr) == (1, "POSTGRES_PASSWORD is not given\n")
