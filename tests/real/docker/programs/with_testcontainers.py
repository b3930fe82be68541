"""testcontainers against the engine at DOCKER_HOST; names each part that held."""

import io
import tarfile
import urllib.request

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy


def held(part: str) -> None:
    print(part, flush=True)


def serves_pages() -> None:
    ready = LogMessageWaitStrategy("start worker process")
    configuration = b"error_log /dev/stderr notice; events {} http { server { listen 80; } }"
    with (
        DockerContainer("nginx:1.22")
        .with_exposed_ports(80)
        .with_copy_into_container(configuration, "/etc/nginx/nginx.conf")
        .waiting_for(ready) as server
    ):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            page = tarfile.TarInfo("hello.html")
            page.size = 5
            archive.addfile(page, io.BytesIO(b"hello"))
        assert server.get_wrapped_container().put_archive(
            "/usr/share/nginx/html", packed.getvalue()
        )
        address = f"{server.get_container_host_ip()}:{server.get_exposed_port(80)}"
        with urllib.request.urlopen(f"http://{address}/hello.html", timeout=10) as answer:
            assert answer.read() == b"hello"
        code, said = server.exec(["nginx", "-v"])
        assert (code, b"nginx version" in said) == (0, True)
    held("served")


def keeps_rows() -> None:
    with PostgresContainer("postgres:15", dbname="shop", driver=None) as server:
        assert server.get_connection_url().startswith("postgresql://test:test@")
        asked = "CREATE TABLE kept AS SELECT 'tea' AS name; SELECT name FROM kept"
        code, said = server.exec(["psql", "-U", "test", "-d", "shop", "-Atqc", asked])
        assert (code, said) == (0, b"tea\n"), said
    held("kept")


def joins_networks() -> None:
    with (
        Network() as network,
        DockerContainer("redis:7.0")
        .with_network(network)
        .with_network_aliases("store")
        .waiting_for(LogMessageWaitStrategy("Ready to accept connections")) as store,
        DockerContainer("redis:7.0", command="redis-cli -h store ping").with_network(
            network
        ) as client,
    ):
        assert store.exec("redis-cli ping").output == b"PONG\n"
        assert client.get_wrapped_container().wait()["StatusCode"] == 0
        assert client.get_logs()[0] == b"PONG\n"
    held("joined")


if __name__ == "__main__":
    serves_pages()
    keeps_rows()
    joins_networks()
