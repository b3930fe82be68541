"""`/order/NAME` takes an order and answers with its number; `/packed` tells which are packed."""

from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from database import connect


def order(name):
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (name) VALUES (%s) RETURNING number", (name,))
        (number,) = cursor.fetchone()
        cursor.execute("NOTIFY orders")
        return str(number)


def packed():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM orders WHERE packed_by IS NOT NULL ORDER BY number")
        return " ".join(name for (name,) in cursor.fetchall())


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        beginning, _, name = self.path.rpartition("/")
        text = order(name) if beginning == "/order" else packed()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def fetch():
    connection = HTTPConnection("localhost", 8080, timeout=5)
    connection.request("GET", "/packed")
    assert connection.getresponse().status == 200


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Shop).serve_forever()
