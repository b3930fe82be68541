"""How a stage says no: an exception that carries the Status to answer with."""

from sampan.kubernetes.kinds.kind import Object

JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}


class Refused(Exception):
    """The request is answered with `status`, a Status object of Kubernetes' form."""

    def __init__(self, status: Object, headers: dict[str, str] | None = None) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.headers = headers or {}
