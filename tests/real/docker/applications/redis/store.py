"""One question to Redis, in its own protocol."""

import socket


def ask(*words):
    with socket.create_connection(("store", 6379), 10) as connection:
        lines = [f"*{len(words)}"]
        for word in words:
            lines += [f"${len(word)}", word]
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
        return _answer(connection.makefile("rb"))


def _answer(stream):
    line = stream.readline().decode().strip()
    kind, rest = line[:1], line[1:]
    if kind == "*":
        return [_answer(stream) for _ in range(int(rest))]
    if kind == "$":
        return stream.read(int(rest) + 2)[:-2].decode() if int(rest) >= 0 else None
    if kind == "-":
        raise ValueError(rest)
    return rest
