"""A small web server that says which pod it is, where it runs and in which version.

/             a line about this pod
/healthz      "ok" for as long as it takes requests
/resolve      the addresses of ?name=
/fetch        what another server of the cluster answers: ?host=&port=&path=

At SIGTERM no request is lost: it goes on accepting for a moment, answers whatever still comes
with `Connection: close`, and ends when every client has gone or has had time enough to.
"""

import os
import signal
import socket
import sys
import threading
import time

PORT = int(os.environ.get("PORT", "8080"))
ACCEPT_AFTER_SIGTERM = 1.0
PATIENCE_AFTER_SIGTERM = 8.0
LONGEST_REQUEST = 16 * 1024
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 502: "Bad Gateway"}

pod = os.environ.get("POD_NAME", socket.gethostname())
node = os.environ.get("NODE_NAME", "nowhere")
version = os.environ.get("HELLO_VERSION", "0")

ending = threading.Event()
connections = set()
connections_changed = threading.Condition()


def answer(path, parameters):
    """The status and text for a path."""
    if path == "/":
        return 200, f"Hello from pod {pod} on {node}, version {version}\n"
    if path == "/healthz":
        return 200, "ok\n"
    if path == "/resolve":
        return resolve(parameters.get("name", ""))
    if path == "/fetch":
        port = int(parameters.get("port", "80"))
        return fetch(parameters.get("host", ""), port, parameters.get("path", "/"))
    return 404, "there is nothing here\n"


def resolve(name):
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as failure:
        return 502, f"{name}: {failure}\n"
    return 200, "".join(sorted({f"{entry[4][0]}\n" for entry in found}))


def fetch(host, port, path):
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            received = b""
            while piece := connection.recv(65536):
                received += piece
    except OSError as failure:
        return 502, f"{host}:{port}: {failure}\n"
    return 200, received.partition(b"\r\n\r\n")[2].decode(errors="replace")


def read_request(connection, received):
    """The head of the next request and what came after it; None at the end."""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(LONGEST_REQUEST)
        if not piece or len(received) > LONGEST_REQUEST:
            return None, b""
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def parse(head):
    """Method, path, parameters and whether the connection is to be closed after the answer."""
    line, _, headers = head.partition("\r\n")
    method, target, protocol = line.split(" ")
    path, _, query = target.partition("?")
    parameters = dict(part.partition("=")[::2] for part in query.split("&") if part)
    closes = protocol == "HTTP/1.0" or "connection: close" in headers.lower()
    return method, path, parameters, closes


def serve(connection, client):
    """Answer one client's requests until it or we have had enough."""
    received = b""
    closes = False
    try:
        while not closes:
            head, received = read_request(connection, received)
            if head is None:
                return
            try:
                method, path, parameters, closes = parse(head)
                status, text = answer(path, parameters)
            except ValueError:
                method, path, status, text, closes = "?", "?", 400, "what?\n", True
            closes = closes or ending.is_set()
            body = text.encode()
            connection.sendall(
                f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: text/plain\r\n"
                f"Content-Length: {len(body)}\r\n"
                f"Connection: {'close' if closes else 'keep-alive'}\r\n\r\n".encode()
                + body
            )
            if path != "/healthz":
                print(client[0], method, path, status, flush=True)
    except OSError as failure:
        print(client[0], "left:", failure, flush=True)
    finally:
        with connections_changed:
            connections.discard(connection)
            connections_changed.notify()
        connection.close()


def accept(listener):
    while True:
        connection, client = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connections_changed:
            connections.add(connection)
        threading.Thread(target=serve, args=(connection, client), daemon=True).start()


def main():
    listener = socket.create_server(("", PORT), backlog=512)
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    print(f"version {version} listens on port {PORT}", flush=True)
    ending.wait()
    print("ending: answering what still comes", flush=True)
    time.sleep(ACCEPT_AFTER_SIGTERM)
    with connections_changed:
        connections_changed.wait_for(lambda: not connections, PATIENCE_AFTER_SIGTERM)
    sys.exit(0)


if __name__ == "__main__":
    main()
