"""An operator made with `kopf`: it gives each Boat a ConfigMap, and tells so in its status.

The program is also the operator's user: it makes the definition and a Boat, changes it, removes
it, and looks at what has become of the ConfigMap.
"""

import asyncio

import kopf
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.client.api_client import ApiClient

GROUP, VERSION, PLURAL = "kopf.example.com", "v1", "boats"
NAMESPACE = "with-kopf"
SECONDS = 30
OBJECT = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "boat", "kind": "Boat"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["sails"],
                                "properties": {"sails": {"type": "integer", "minimum": 1}},
                            },
                            "status": OBJECT,
                        },
                    }
                },
            }
        ],
    },
}
removed = []


@kopf.on.create(GROUP, VERSION, PLURAL)
async def build(name, namespace, spec, **_):
    body = {"metadata": {"name": name}, "data": {"sails": str(spec["sails"])}}
    kopf.adopt(body)
    async with ApiClient() as api:
        await client.CoreV1Api(api).create_namespaced_config_map(namespace, body)
    return {"sails": spec["sails"]}


@kopf.on.update(GROUP, VERSION, PLURAL, field="spec.sails")
async def refit(name, namespace, new, patch, **_):
    async with ApiClient() as api:
        await client.CoreV1Api(api).patch_namespaced_config_map(
            name, namespace, {"data": {"sails": str(new)}}
        )
    patch.status["refitted"] = new


@kopf.on.delete(GROUP, VERSION, PLURAL)
async def scrap(name, **_):
    removed.append(name)


async def until(list_them, name, holds):
    """Watch the objects of one kind until what an event tells of `name` holds."""
    async with watch.Watch() as watching, asyncio.timeout(SECONDS):
        async for event in watching.stream(*list_them, field_selector=f"metadata.name={name}"):
            if holds(event["type"], event["raw_object"]):
                return


async def use(api):
    core, custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
    where = (GROUP, VERSION, NAMESPACE, PLURAL)
    boats = (custom.list_namespaced_custom_object, *where)
    maps = (core.list_namespaced_config_map, NAMESPACE)
    boat = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Boat",
        "metadata": {"name": "junk"},
        "spec": {"sails": 3},
    }
    await custom.create_namespaced_custom_object(*where, boat)
    await until(boats, "junk", lambda _, it: it.get("status", {}).get("build") == {"sails": 3})
    made = await core.read_namespaced_config_map("junk", NAMESPACE)
    (owner,) = made.metadata.owner_references
    assert (made.data, owner.kind, owner.name) == ({"sails": "3"}, "Boat", "junk"), made
    print("built", flush=True)
    change = {"spec": {"sails": 4}}
    await custom.patch_namespaced_custom_object(
        *where, "junk", change, _content_type="application/merge-patch+json"
    )
    await until(boats, "junk", lambda _, it: it.get("status", {}).get("refitted") == 4)
    assert (await core.read_namespaced_config_map("junk", NAMESPACE)).data == {"sails": "4"}
    print("refitted", flush=True)
    gone = asyncio.create_task(until(maps, "junk", lambda kind, _: kind == "DELETED"))
    await custom.delete_namespaced_custom_object(*where, "junk")
    await gone
    assert removed == ["junk"], removed
    print("scrapped", flush=True)


async def main():
    await config.load_kube_config()
    async with ApiClient() as api:
        await client.CoreV1Api(api).create_namespace({"metadata": {"name": NAMESPACE}})
        definitions = client.ApiextensionsV1Api(api)
        await definitions.create_custom_resource_definition(DEFINITION)
        ready, stop = asyncio.Event(), asyncio.Event()
        operator = asyncio.create_task(
            kopf.operator(namespaces=[NAMESPACE], standalone=True, ready_flag=ready, stop_flag=stop)
        )
        await ready.wait()
        await use(api)
        stop.set()
        await operator
        await definitions.delete_custom_resource_definition(DEFINITION["metadata"]["name"])
        await client.CoreV1Api(api).delete_namespace(NAMESPACE)


if __name__ == "__main__":
    asyncio.run(main())
