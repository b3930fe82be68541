"""Images on their way: pull, import, push, save, load, what a registry has, signing in."""

import base64
import binascii
from typing import Any

import msgspec

from sampan.engine.contract import Forbidden, InvalidConfiguration, NotImplementedHere
from sampan.engine.images.contract import Credentials
from sampan.faces.dockerapi import bodies, json_stream
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.errors import Refused
from sampan.faces.dockerapi.json_stream import Tell, progress_message
from sampan.faces.dockerapi.platforms import platform_of
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

AUTHORIZATION_HEADER = "x-registry-auth"


class Authorization(msgspec.Struct, frozen=True):
    """What `docker login` keeps, in the words of its wire."""

    username: str = ""
    password: str = ""
    auth: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""

    def credentials(self) -> Credentials:
        user, password = self.username, self.password
        if self.auth and not user:
            user, _, password = decoded(self.auth).decode(errors="replace").partition(":")
        return Credentials(
            user=user,
            password=password,
            identity_token=self.identitytoken,
            registry_token=self.registrytoken,
            server=self.serveraddress,
        )


def decoded(text: str) -> bytes:
    """Base64 of either alphabet. Raises InvalidConfiguration."""
    plain = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidConfiguration("invalid credentials in a header: not base64") from error


def credentials(call: Call) -> Credentials | None:
    """Those of the request, None for nobody's. Raises InvalidConfiguration."""
    text = call.request.headers.get(AUTHORIZATION_HEADER, "")
    if not text:
        return None
    try:
        found = msgspec.json.decode(decoded(text) or b"{}", type=Authorization).credentials()
    except msgspec.DecodeError as error:
        raise InvalidConfiguration("invalid X-Registry-Auth header") from error
    return found if found != Credentials(server=found.server) else None


async def create(call: Call) -> Response:
    if call.text("fromImage"):
        return await _pull(call)
    return await _import(call)


async def _pull(call: Call) -> Response:
    name, tag = call.text("fromImage"), call.text("tag")
    reference = _joined(name, tag)
    known = credentials(call)

    async def pull(tell: Tell) -> None:
        await call.engine.images.pull(
            reference,
            platform=platform_of(call.text("platform")),
            credentials=known,
            progress=lambda progress: tell(progress_message(progress)),
            all_tags=reference == name and not _is_tagged(name),
        )

    return await json_stream.stream(pull)


def _joined(name: str, tag: str) -> str:
    if not tag:
        return name
    return f"{name}@{tag}" if ":" in tag else f"{name}:{tag}"


def _is_tagged(name: str) -> bool:
    return "@" in name or ":" in name.rpartition("/")[2]


async def _import(call: Call) -> Response:
    if call.text("fromSrc") not in ("-", ""):
        raise NotImplementedHere("images are imported from an upload alone (fromSrc=-)")
    repository = call.text("repo")

    async def import_root(tell: Tell) -> None:
        identifier = await call.engine.images.import_root(
            bodies.pieces(call),
            name=_joined(repository, call.text("tag")),
            changes=[it for it in call.texts("changes") if it],
            message=call.text("message"),
            platform=platform_of(call.text("platform")),
        )
        tell({"status": identifier})

    return await json_stream.stream(import_root)


async def push(call: Call) -> Response:
    known = credentials(call)
    tag = call.text("tag")

    async def push_image(tell: Tell) -> None:
        pushed = await call.engine.images.push(
            _joined(call.name, tag),
            credentials=known,
            progress=lambda progress: tell(progress_message(progress)),
            all_tags=not tag and not _is_tagged(call.name),
        )
        for one in pushed:
            aux = {"Tag": one.tag, "Digest": one.digest, "Size": one.size}
            tell({"progressDetail": {}, "aux": aux})

    return await json_stream.stream(push_image)


async def save(call: Call) -> Response:
    references = [call.name] if "name" in call.parameters else _names(call)
    if not references:
        raise InvalidConfiguration("no image is named")
    archive = await bodies.begun(call.engine.images.save(references))
    return Response(headers={"Content-Type": "application/x-tar"}, body=archive)


def _names(call: Call) -> list[str]:
    return [name for names in call.texts("names") for name in names.split(",") if name]


async def load(call: Call) -> Response:
    quiet = call.flag("quiet", default=True)

    async def load_images(tell: Tell) -> None:
        loaded = await call.engine.images.load(
            bodies.pieces(call),
            None if quiet else lambda progress: tell(progress_message(progress)),
        )
        for one in loaded:
            told = f"Loaded image: {one.name}" if one.name else f"Loaded image ID: {one.identifier}"
            tell({"stream": f"{told}\n"})

    return await json_stream.stream(load_images)


async def distribution(call: Call) -> Response:
    found = await call.engine.images.distribution(call.name, credentials(call))
    tree: dict[str, Any] = {
        "Descriptor": msgspec.to_builtins(found.descriptor),
        "Platforms": [msgspec.to_builtins(platform) for platform in found.platforms],
    }
    return answer(tree)


async def authenticate(call: Call) -> Response:
    try:
        asked = msgspec.convert(await call.json(), Authorization)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(f"invalid JSON: {error}") from error
    try:
        token = await call.engine.images.verify(asked.credentials())
    except Forbidden as error:
        raise Refused(401, str(error)) from error
    return answer({"Status": "Login Succeeded", "IdentityToken": token})


async def search(call: Call) -> Response:
    raise NotImplementedHere("this engine has no registry to search in")


ROUTES = (
    Route("POST", "/images/create", create),
    Route("POST", "/images/load", load),
    Route("GET", "/images/get", save),
    Route("GET", "/images/search", search),
    Route("POST", "/images/{name*}/push", push),
    Route("GET", "/images/{name*}/get", save),
    Route("GET", "/distribution/{name*}/json", distribution),
    Route("POST", "/auth", authenticate),
)
