"""`python load.py HOST PORT SECONDS NEW_PER_SECOND KEPT_ALIVE`: requests that must not be lost.

Runs on any Python with a standard library, on a host or in a pod. Opens so many new connections
a second, and keeps so many others alive, each asking ten times a second; one that the server
has announced to close, by `Connection: close`, is opened anew. Prints one line of JSON at the
end: how many were answered, by which versions, and each failure with its time.
"""

import json
import socket
import sys
import threading
import time

NEW_CONNECTION_THREADS = 10
KEPT_ALIVE_PAUSE = 0.1
PATIENCE = 5.0
REQUEST = b"GET / HTTP/1.1\r\nHost: hello\r\n\r\n"
REQUEST_AND_CLOSE = b"GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n"


class Tally:
    def __init__(self):
        self._lock = threading.Lock()
        self.answered = 0
        self.versions = {}
        self.failures = []
        self.slowest = 0.0

    def count(self, version, seconds):
        with self._lock:
            self.answered += 1
            self.versions[version] = self.versions.get(version, 0) + 1
            self.slowest = max(self.slowest, seconds)

    def fail(self, kind, failure):
        with self._lock:
            self.failures.append([round(time.time(), 2), kind, repr(failure)])


def read_answer(connection):
    """The body of one answer and whether the server closes afterwards. Raises OSError."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError(f"closed after {len(received)} bytes")
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    if " 200 " not in lines[0]:
        raise ConnectionError(lines[0])
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    while len(body) < int(headers["content-length"]):
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError("closed in the middle of an answer")
        body += piece
    return body.decode(), headers.get("connection") == "close"


def ask(connection, request, tally):
    began = time.monotonic()
    connection.sendall(request)
    body, closes = read_answer(connection)
    tally.count(body.rsplit(" ", 1)[-1].strip(), time.monotonic() - began)
    return closes


def connect(address):
    connection = socket.create_connection(address, timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def open_new(address, pause, until, tally):
    """A new connection each `pause` seconds."""
    due = time.monotonic()
    while time.monotonic() < until:
        try:
            with connect(address) as connection:
                ask(connection, REQUEST_AND_CLOSE, tally)
        except OSError as failure:
            tally.fail("new", failure)
        due += pause
        time.sleep(max(0.0, due - time.monotonic()))


def keep_alive(address, until, tally):
    """One connection, asked again and again."""
    connection = None
    while time.monotonic() < until:
        try:
            connection = connection or connect(address)
            if ask(connection, REQUEST, tally):
                connection.close()
                connection = None
        except OSError as failure:
            tally.fail("kept alive", failure)
            connection = None
        time.sleep(KEPT_ALIVE_PAUSE)
    if connection:
        connection.close()


def main(host, port, seconds, new_per_second, kept_alive):
    address = (host, port)
    until = time.monotonic() + seconds
    tally = Tally()
    threads = [
        threading.Thread(target=keep_alive, args=(address, until, tally)) for _ in range(kept_alive)
    ]
    if new_per_second:
        pause = NEW_CONNECTION_THREADS / new_per_second
        threads += [
            threading.Thread(target=open_new, args=(address, pause, until, tally))
            for _ in range(NEW_CONNECTION_THREADS)
        ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(vars(tally) | {"_lock": None}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *(int(argument) for argument in sys.argv[3:6]))
