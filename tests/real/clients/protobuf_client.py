"""A client with the habits of controller-runtime: bodies, lists, watches and errors in protobuf.

It knows nothing of Sampan: it writes and reads messages by the numbers of their fields. Run with a
server's address, the authority's certificate, and a client certificate and its key; it prints what
it has seen, a line each, and ends with an error at the first thing that isn't as it should be.
"""

import http.client
import ssl
import sys

PROTOBUF = "application/vnd.kubernetes.protobuf"
METADATA = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
MAPS = "/api/v1/namespaces/default/configmaps"
NAME, LABELS, RESOURCE_VERSION, ANNOTATIONS = 1, 11, 6, 12


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def read_varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def fields(data):
    """A message's fields: by number, the list of their values."""
    found, position = {}, 0
    while position < len(data):
        key, position = read_varint(data, position)
        value, position = read_varint(data, position)
        if key & 7 == 2:
            value, position = data[position : position + value], position + value
        found.setdefault(key >> 3, []).append(value)
    return found


def text(message, number):
    return message.get(number, [b""])[0].decode()


def pairs(message, number):
    entries = [fields(entry) for entry in message.get(number, [])]
    return {text(entry, 1): text(entry, 2) for entry in entries}


def wrapped(version, kind, message):
    return b"k8s\x00" + field(1, field(1, version) + field(2, kind)) + field(2, message)


def opened(body):
    """Kind and fields of an object with its envelope."""
    assert body.startswith(b"k8s\x00"), body[:80]
    unknown = fields(body[4:])
    return text(fields(unknown[1][0]), 2), fields(unknown[2][0])


def config_map(name, value, version=""):
    metadata = field(NAME, name) + field(LABELS, field(1, "by") + field(2, "protobuf"))
    if version:
        metadata += field(RESOURCE_VERSION, version)
    entry = field(2, field(1, "key") + field(2, value))
    return wrapped("v1", "ConfigMap", field(1, metadata) + entry)


class Client:
    """One connection that speaks protobuf alone."""

    def __init__(self, address, authority, certificate, key):
        host, _, port = address.rpartition(":")
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
        self._made = lambda: http.client.HTTPSConnection(
            host, int(port), context=context, timeout=10
        )
        self._connection = self._made()

    def send(self, method, path, body=None, accept=PROTOBUF):
        """The status, kind and fields of the answer."""
        headers = {"Accept": accept, "Content-Type": PROTOBUF}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        raw = response.read()
        assert response.headers["Content-Type"] == PROTOBUF, (response.status, raw[:200])
        return response.status, *opened(raw)

    def watch(self, path, accept=f"{PROTOBUF};stream=watch"):
        """The events of a watch, as type, kind and fields."""
        connection = self._made()
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"] == f"{PROTOBUF};stream=watch"
        while length := response.read(4):
            event = fields(response.read(int.from_bytes(length, "big")))
            yield text(event, 1), *opened(fields(event[2][0])[1][0])
        connection.close()


def metadata_of(message):
    return fields(message[1][0])


def writes(client):
    """Create, read, update against an old version, update, in protobuf alone."""
    status, kind, made = client.send("POST", MAPS, config_map("first", "one"))
    assert (status, kind) == (201, "ConfigMap"), (status, kind)
    old = text(metadata_of(made), RESOURCE_VERSION)
    status, _, changed = client.send("PUT", f"{MAPS}/first", config_map("first", "two", old))
    assert (status, pairs(changed, 2)) == (200, {"key": "two"})
    status, kind, refused = client.send("PUT", f"{MAPS}/first", config_map("first", "three", old))
    assert (status, kind, text(refused, 4)) == (409, "Status", "Conflict")
    status, _, again = client.send("POST", MAPS, config_map("first", "one"))
    assert (status, text(again, 4)) == (409, "AlreadyExists")
    print("writes")


def reads(client):
    """Lists of whole objects and of metadata, page by page."""
    for number in range(3):
        client.send("POST", MAPS, config_map(f"listed-{number}", "x"))
    status, kind, listed = client.send("GET", f"{MAPS}?labelSelector=by%3Dprotobuf")
    names = [text(metadata_of(fields(item)), NAME) for item in listed[2]]
    assert (status, kind) == (200, "ConfigMapList")
    assert names == ["first", "listed-0", "listed-1", "listed-2"], names
    _, kind, page = client.send("GET", f"{MAPS}?limit=2", accept=METADATA)
    assert (kind, len(page[2])) == ("PartialObjectMetadataList", 2)
    assert text(fields(page[1][0]), 3), "the page has no continue token"
    status, kind, _ = client.send("GET", f"{MAPS}/missing")
    assert (status, kind) == (404, "Status")
    print("reads")


def watches(client):
    """The streaming list of an informer, then changes, then the end of the time."""
    options = (
        "watch=true&allowWatchBookmarks=true&sendInitialEvents=true"
        "&resourceVersionMatch=NotOlderThan&labelSelector=by%3Dprotobuf&timeoutSeconds=3"
    )
    events = client.watch(f"{MAPS}?{options}")
    initial = [next(events) for _ in range(4)]
    assert [event for event, _, _ in initial] == ["ADDED"] * 4
    kind, _, bookmark = next(events)
    assert kind == "BOOKMARK"
    ends = pairs(metadata_of(bookmark), ANNOTATIONS)
    assert ends == {"k8s.io/initial-events-end": "true"}, ends
    client.send("POST", MAPS, config_map("later", "x"))
    options = wrapped("v1", "DeleteOptions", field(4, "Background"))
    status, _, _ = client.send("DELETE", f"{MAPS}/later", options)
    assert status == 200
    told = [
        (event, text(metadata_of(seen), NAME)) for event, _, seen in (next(events), next(events))
    ]
    assert told == [("ADDED", "later"), ("DELETED", "later")], told
    assert [event for event, _, _ in events] == ["BOOKMARK"], "the watch has no last bookmark"
    metadata = client.watch(f"{MAPS}?watch=true&timeoutSeconds=1", accept=METADATA)
    assert next(metadata)[:2] == ("ADDED", "PartialObjectMetadata")
    metadata.close()
    print("watches")


def leases(client):
    """A leader's lease, with the precise times that JSON writes with six digits."""
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    moment = varint(1 << 3) + varint(1_767_323_045) + varint(2 << 3) + varint(6000)
    spec = field(1, "me") + varint(2 << 3) + varint(15) + field(3, moment) + field(4, moment)
    message = field(1, field(NAME, "leader")) + field(2, spec)
    status, kind, made = client.send(
        "POST", path, wrapped("coordination.k8s.io/v1", "Lease", message)
    )
    assert (status, kind) == (201, "Lease")
    kept = fields(made[2][0])
    assert (text(kept, 1), kept[3][0]) == ("me", moment)
    print("leases")


if __name__ == "__main__":
    running = Client(*sys.argv[1:5])
    for part in (writes, reads, watches, leases):
        part(running)
