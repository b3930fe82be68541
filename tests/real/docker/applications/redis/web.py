"""`/` greets and counts; `/order/NAME` puts work into the queue; `/done` tells what is done."""

import os
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from store import ask


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/order/"):
            text = str(ask("LPUSH", "orders", self.path.removeprefix("/order/")))
        elif self.path == "/done":
            text = " ".join(sorted(ask("SMEMBERS", "done")))
        else:
            text = f"{os.environ['GREETING']} {ask('INCR', 'visitors')}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())


def fetch():
    connection = HTTPConnection("localhost", 8080, timeout=5)
    connection.request("GET", "/done")
    assert connection.getresponse().status == 200


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Page).serve_forever()
