"""A connection to the shop's database, whose password is the secret that compose puts there."""

from pathlib import Path

import psycopg2


def connect():
    password = Path("/run/secrets/password").read_text()
    connection = psycopg2.connect(
        host="database", dbname="shop", user="postgres", password=password, connect_timeout=5
    )
    connection.autocommit = True
    return connection
