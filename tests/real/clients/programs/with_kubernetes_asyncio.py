"""The library `kubernetes_asyncio`: objects, a watch beside writes, exec, a leader."""

import asyncio

from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.leaderelection import electionconfig, leaderelection
from kubernetes_asyncio.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes_asyncio.stream import WsApiClient

NAMESPACE = "with-kubernetes-asyncio"
SECONDS = 30
POD = {
    "metadata": {"name": "long"},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "hello:1", "command": ["sleep", "600"]}],
    },
}


async def watched(core):
    """What is written by some is seen in order by another."""
    names = [f"told-{number}" for number in range(20)]
    listed = await core.list_namespaced_config_map(NAMESPACE)

    async def see():
        seen = []
        async with watch.Watch() as watching:
            async for event in watching.stream(
                core.list_namespaced_config_map,
                NAMESPACE,
                label_selector="told",
                resource_version=listed.metadata.resource_version,
                timeout_seconds=SECONDS,
            ):
                seen.append((event["type"], event["object"].metadata.name))
                if len(seen) == 2 * len(names):
                    return seen
        return seen

    seeing = asyncio.create_task(see())
    for name in names:
        body = {"metadata": {"name": name, "labels": {"told": "yes"}}}
        await core.create_namespaced_config_map(NAMESPACE, body)
    await asyncio.gather(*(core.delete_namespaced_config_map(it, NAMESPACE) for it in names))
    seen = await seeing
    assert seen[:20] == [("ADDED", name) for name in names], seen
    assert sorted(seen[20:]) == sorted(("DELETED", name) for name in names), seen


async def executed(core):
    await core.create_namespaced_pod(NAMESPACE, POD)
    async with watch.Watch() as watching:
        async for event in watching.stream(
            core.list_namespaced_pod, NAMESPACE, timeout_seconds=SECONDS
        ):
            if event["object"].status.phase == "Running":
                break
    async with WsApiClient() as sockets:
        answer = await client.CoreV1Api(sockets).connect_get_namespaced_pod_exec(
            "long", NAMESPACE, command=["sh", "-c", "echo said"], stdout=True, stderr=True
        )
    assert answer == "said\n", answer


async def led(core):
    leading = asyncio.Event()

    async def lead():
        leading.set()
        await asyncio.Event().wait()

    async def lost():
        raise AssertionError("the lease was lost")

    lock = LeaseLock("leader", NAMESPACE, "program", core.api_client)
    settings = electionconfig.Config(
        lock,
        lease_duration=3,
        renew_deadline=2,
        retry_period=1,
        onstarted_leading=lead,
        onstopped_leading=lost,
    )
    running = asyncio.create_task(leaderelection.LeaderElection(settings).run())
    await asyncio.wait_for(leading.wait(), SECONDS)
    lease = await client.CoordinationV1Api(core.api_client).read_namespaced_lease(
        "leader", NAMESPACE
    )
    assert lease.spec.holder_identity == "program"
    running.cancel()


async def main():
    await config.load_kube_config()
    async with ApiClient() as api:
        core = client.CoreV1Api(api)
        await core.create_namespace({"metadata": {"name": NAMESPACE}})
        for part in (watched, executed, led):
            await part(core)
            print(part.__name__, flush=True)
        await core.delete_namespace(NAMESPACE)


if __name__ == "__main__":
    asyncio.run(main())
