"""Containers that are added to a pod that runs, to look into it (KEP-277)."""

import asyncio


async def moment(seconds=0.01):
    await asyncio.sleep(seconds)


def add(node, name="debugger", **container):
    """As a write to `/ephemeralcontainers` does."""
    body = node.api.objects["pods", "web"]
    added = {"name": name, "image": "hello", **container}
    others = body["spec"].get("ephemeralContainers", [])
    spec = {**body["spec"], "ephemeralContainers": [*others, added]}
    node.api.put("pods", "web", {**body, "spec": spec})


def shown(node, name="debugger"):
    found = node.status()["ephemeralContainerStatuses"]
    return next(item for item in found if item["name"] == name)


def run_of(node, name="debugger"):
    (identifier,) = [
        identifier
        for identifier, it in node.engine.configurations.items()
        if it.labels["io.kubernetes.container.name"] == name
    ]
    return identifier


def test_it_runs_beside_the_others_and_is_shown(on_node):
    async def story(node):
        node.create()
        await moment()
        add(node, stdin=True, tty=True)
        await moment()
        assert "running" in shown(node)["state"]
        configuration = node.engine.configurations[run_of(node)]
        assert configuration.network_namespace == "/run/netns/u-web"
        assert (configuration.terminal, configuration.keep_stdin_open) == (True, True)
        assert configuration.share_process_namespace_of == ""
        assert node.container()["restartCount"] == 0

    on_node(story)


def test_it_runs_once(on_node):
    async def story(node):
        node.create()
        await moment()
        add(node)
        await moment()
        node.engine.end(run_of(node), 3)
        await moment(600)
        terminated = shown(node)["state"]["terminated"]
        assert (terminated["exitCode"], shown(node)["restartCount"]) == (3, 0)
        assert len(node.engine.configurations) == 2
        assert node.status()["phase"] == "Running"
        assert node.container()["ready"]

    on_node(story)


def test_it_is_among_the_processes_of_its_target(on_node):
    async def story(node):
        node.create()
        await moment()
        add(node, targetContainerName="main")
        await moment()
        configuration = node.engine.configurations[run_of(node)]
        assert configuration.share_process_namespace_of == "container-1"

    on_node(story)


def test_it_waits_for_a_target_that_does_not_run(on_node):
    async def story(node):
        node.create(containers=[{"name": "main", "image": "late"}])
        await moment()
        add(node, targetContainerName="main")
        await moment()
        waiting = shown(node)["state"]["waiting"]
        assert waiting["reason"] == "CreateContainerConfigError"
        assert waiting["message"] == "unable to find target container main"
        node.engine.load("late")
        await moment(60)
        assert "running" in shown(node)["state"]

    on_node(story)


def test_it_does_not_wait_for_init_containers(on_node):
    async def story(node):
        node.create(initContainers=[{"name": "slow", "image": "hello"}])
        await moment()
        add(node)
        await moment(1)
        assert "running" in shown(node)["state"]
        assert node.status()["phase"] == "Pending"

    on_node(story)


def test_it_neither_keeps_its_pod_running_nor_ends_it(on_node):
    async def story(node):
        node.create(restartPolicy="Never")
        await moment()
        add(node)
        await moment()
        node.engine.end("container-1", 0)
        await moment(60)
        assert node.status()["phase"] == "Succeeded"
        assert shown(node)["state"]["terminated"]["exitCode"] == 143

    on_node(story)


def test_what_it_refers_to_is_watched(on_node):
    async def story(node):
        node.create()
        await moment()
        source = {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "m"}}}
        add(node, env=[source])
        await moment(2)
        assert shown(node)["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        node.api.put("configmaps", "cm", {"data": {"m": "fast"}})
        await moment(2)
        assert node.engine.configurations[run_of(node)].environment["MODE"] == "fast"

    on_node(story)


def test_an_image_that_is_not_there_troubles_nobody_else(on_node):
    async def story(node):
        node.create()
        await moment()
        add(node, image="none")
        await moment(60)
        assert shown(node)["state"]["waiting"]["reason"] == "ImagePullBackOff"
        assert node.container()["ready"]

    on_node(story)


def test_a_new_agent_neither_repeats_nor_forgets_it(on_node):
    async def story(node):
        node.create()
        await moment()
        add(node)
        add(node, "second")
        await moment()
        node.engine.end(run_of(node), 0)
        await moment()
        await node.crash()
        await moment(60)
        assert shown(node)["state"]["terminated"]["exitCode"] == 0
        assert "running" in shown(node, "second")["state"]
        assert len(node.engine.configurations) == 3

    on_node(story)


def test_it_ends_with_its_pod(on_node):
    async def story(node):
        node.create()
        await moment()
        add(node)
        await moment()
        node.delete()
        await moment(60)
        assert node.engine.statuses == {}
        assert ("pods", "web") not in node.api.objects

    on_node(story)
