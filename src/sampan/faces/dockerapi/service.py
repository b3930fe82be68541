"""The stages of a request to the API: version, route, handler, errors in Docker's shape."""

import logging

from sampan.engine.contract import EngineError
from sampan.faces.dockerapi import versions
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.engine_parts import EngineParts
from sampan.faces.dockerapi.errors import status_of
from sampan.faces.dockerapi.facts import Facts
from sampan.faces.dockerapi.router import Router
from sampan.faces.dockerapi.routes import ROUTES
from sampan.foundation.wire.message import BodyTooLarge, Request, Response

_log = logging.getLogger(__name__)
_UNREADABLE = {
    BodyTooLarge: (413, "the request is too large"),
    TimeoutError: (408, "the request took too long to arrive"),
}


class DockerApi:
    """`respond` is a handler for `foundation.wire`'s servers."""

    def __init__(self, engine: EngineParts, facts: Facts) -> None:
        self._engine = engine
        self._facts = facts
        self._router = Router(ROUTES)
        self._headers = {
            "Api-Version": versions.text(versions.MAXIMUM),
            "Docker-Experimental": "false",
            "Ostype": "linux",
            "Server": f"Docker/{facts.version} (linux)",
        }

    async def respond(self, request: Request) -> Response:
        """Raises ConnectionError when the client has gone."""
        response = await self._answer(request)
        response.headers = {**self._headers, **response.headers}
        return response

    async def _answer(self, request: Request) -> Response:
        try:
            version, path = versions.split(request.path)
            route = self._router.find(request.method, path)
            if route is None:
                return _refusal(404, "page not found")
            handler, parameters = route
            return await handler(Call(request, version, parameters, self._engine, self._facts))
        except EngineError as error:
            return _refusal(status_of(error), str(error))
        except (BodyTooLarge, TimeoutError) as error:
            return _refusal(*_UNREADABLE[type(error)])
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - logged whole; clients show the message
            _log.exception("%s %s failed", request.method, request.path)
            told = str(error) if isinstance(error, OSError) else type(error).__name__
            return _refusal(500, f"internal error: {told}")


def _refusal(status: int, message: str) -> Response:
    if status == 304:
        return Response(status=status)
    return answer({"message": message}, status)
