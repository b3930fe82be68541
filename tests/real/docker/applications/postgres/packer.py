"""Packs orders, one at a time; of several packers, each takes others."""

import select
import socket

from database import connect

TAKE = """
UPDATE orders SET packed_by = %s WHERE number = (
    SELECT number FROM orders WHERE packed_by IS NULL
    ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING name
"""


def main():
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute("LISTEN orders")
        while True:
            cursor.execute(TAKE, (socket.gethostname(),))
            taken = cursor.fetchone()
            if taken:
                print("packed", taken[0])
            else:
                select.select([connection], [], [], 5)
                connection.poll()


if __name__ == "__main__":
    main()
