"""Images on their way to a pod: pulled beside the pod's worker, which goes on meanwhile.

Source of the policies: Kubernetes' documentation "Images", "Image pull policy". An image that
was made on this machine is in no registry, so even `Always` finds it here.
"""

import asyncio
from collections.abc import Callable

import msgspec

from sampan.engine.contract import EngineError, ImageDescription, ImageNotFound
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.reference import InvalidReference
from sampan.kubernetes.kinds.resource import SECRETS
from sampan.node.image_credentials import credentials_for
from sampan.node.node_services import NodeServices
from sampan.node.pod_state import Trouble
from sampan.node.pod_view import Container, Pod

FIRST_RETRY = 10.0
LONGEST_RETRY = 300.0


class ImageNotReady(Exception):
    """The container can't start yet; `trouble` says why, with no message while it is pulled."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class _Pull(msgspec.Struct):
    image: str
    task: asyncio.Task[ImageDescription]
    before: Trouble | None


class ImagePulls:
    """Of one pod; `pulled` is called when a pull has ended, well or not."""

    def __init__(self, services: NodeServices, pulled: Callable[[], None]) -> None:
        self._services = services
        self._pulled = pulled
        self._pulls: dict[str, _Pull] = {}

    async def image(
        self, pod: Pod, container: Container, before: Trouble | None
    ) -> ImageDescription:
        """The image of a container that is to start. Raises ImageNotReady."""
        pull = self._pulls.get(container.name)
        if pull is not None and pull.image == container.image:
            return self._result(pod, container, pull)
        present = await self._present(container, before)
        policy = container.image_pull_policy
        if present is not None and not (policy == "Always" and present.is_from_registry):
            text = f'Container image "{container.image}" already present on machine'
            self._services.record(pod, "Normal", "Pulled", text)
            return present
        if policy == "Never":
            text = f'Container image "{container.image}" is not present with pull policy of Never'
            raise ImageNotReady(self._again("ErrImageNeverPull", text, before))
        self._begin(pod, container, before)
        raise ImageNotReady(Trouble("ContainerCreating", ""))

    async def close(self) -> None:
        """End what is under way; what came of it is kept by the engine."""
        tasks = [pull.task for pull in self._pulls.values()]
        self._pulls.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _present(
        self, container: Container, before: Trouble | None
    ) -> ImageDescription | None:
        try:
            return await self._services.engine.image(container.image)
        except ImageNotFound:
            return None
        except InvalidReference as error:
            raise ImageNotReady(self._again("InvalidImageName", str(error), before)) from error
        except (EngineError, OSError) as error:
            raise ImageNotReady(self._again("ImageInspectError", str(error), before)) from error

    def _begin(self, pod: Pod, container: Container, before: Trouble | None) -> None:
        secrets = self._services.objects.contents(SECRETS, pod.metadata.namespace)
        names = [secret.name for secret in pod.spec.image_pull_secrets]
        credentials = credentials_for(container.image, names, secrets)
        self._services.record(pod, "Normal", "Pulling", f'Pulling image "{container.image}"')
        task = asyncio.ensure_future(self._pull(pod, container.image, credentials))
        task.add_done_callback(lambda _: self._pulled())
        self._pulls[container.name] = _Pull(container.image, task, before)

    async def _pull(
        self, pod: Pod, image: str, credentials: tuple[Credentials, ...]
    ) -> ImageDescription:
        began = self._services.clock()
        found = await self._services.engine.pull_image(image, credentials)
        took = round((self._services.clock() - began) * 1000)
        text = f'Successfully pulled image "{image}" in {took}ms. Image size: {found.size} bytes.'
        self._services.record(pod, "Normal", "Pulled", text)
        return found

    def _result(self, pod: Pod, container: Container, pull: _Pull) -> ImageDescription:
        if not pull.task.done():
            raise ImageNotReady(Trouble("ContainerCreating", ""))
        del self._pulls[container.name]
        try:
            return pull.task.result()
        except (EngineError, OSError) as error:
            text = f'Failed to pull image "{container.image}": {error}'
            again = pull.before is not None and pull.before.reason in {
                "ErrImagePull",
                "ImagePullBackOff",
            }
            reason = "ImagePullBackOff" if again else "ErrImagePull"
            raise ImageNotReady(self._again(reason, text, pull.before)) from error

    def _again(self, reason: str, message: str, before: Trouble | None) -> Trouble:
        delay = min(before.delay * 2, LONGEST_RETRY) if before and before.delay else FIRST_RETRY
        return Trouble(reason, message, until=self._services.clock() + delay, delay=delay)
