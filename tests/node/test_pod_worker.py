"""Lives of pods on a node, told on virtual time over fakes that hold state."""

import asyncio

TOKEN_VOLUME = {
    "name": "token",
    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]},
}


async def moment(seconds=0.01):
    await asyncio.sleep(seconds)


def test_a_pod_runs_and_says_so(on_node):
    async def story(node):
        node.create()
        await moment()
        status = node.status()
        assert status["phase"] == "Running"
        assert status["podIP"] == "10.42.0.2"
        assert node.container()["ready"]
        assert node.groups.names == {"sampan/node-1/pods/podu-web"}
        (configuration,) = node.engine.configurations.values()
        assert configuration.network_namespace == "/run/netns/u-web"
        targets = {mount.target for mount in configuration.mounts}
        assert targets == {"/etc/hosts", "/etc/resolv.conf", "/etc/hostname"}

    on_node(story)


def test_a_pod_of_another_node_is_none_of_its_business(on_node):
    async def story(node):
        node.create(nodeName="node-2")
        await moment()
        assert node.engine.statuses == {}

    on_node(story)


def test_a_crashed_container_runs_again_at_once_and_then_backs_off(on_node):
    async def story(node):
        node.create()
        await moment()
        for restarts, wait in ((1, 0.0), (2, 10.0), (3, 20.0), (4, 40.0)):
            (running,) = node.engine.running()
            node.engine.end(running, 1)
            await moment()
            if wait:
                assert node.container()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
                assert node.engine.running() == []
                await moment(wait)
            assert node.container()["restartCount"] == restarts
            assert len(node.engine.running()) == 1
            assert node.container()["lastState"]["terminated"]["exitCode"] == 1
        assert len(node.engine.statuses) == 2

    on_node(story)


def test_a_job_ends_and_lets_go_of_its_network(on_node):
    async def story(node):
        node.create(restartPolicy="Never")
        await moment()
        node.engine.end("container-1", 0)
        await moment()
        assert node.status()["phase"] == "Succeeded"
        assert node.status()["podIP"] == "10.42.0.2"
        assert node.network.attached == {}
        assert node.groups.names == set()
        assert list(node.engine.statuses) == ["container-1"]

    on_node(story)


def test_a_deleted_pod_leaves_nothing(on_node):
    async def story(node):
        node.create(volumes=[{"name": "data", "emptyDir": {}}, TOKEN_VOLUME])
        await moment()
        node.delete()
        await moment()
        assert node.api.objects == {}
        assert node.engine.statuses == {}
        assert node.network.attached == {}
        assert node.groups.names == set()
        assert [item for item in node.folder.rglob("*") if not item.is_dir()] == []

    on_node(story)


def test_a_container_that_ignores_its_signal_is_killed_after_the_grace(on_node):
    async def story(node):
        node.engine.deaf.add("main")
        node.create()
        await moment()
        node.delete(grace=5)
        await moment(4.9)
        assert node.engine.running()
        await moment(0.2)
        assert node.api.objects == {}

    on_node(story)


def test_a_second_deletion_shortens_the_grace(on_node):
    async def story(node):
        node.engine.deaf.add("main")
        node.create()
        await moment()
        node.delete(grace=30)
        await moment(1)
        node.delete(grace=0)
        await moment()
        assert node.api.objects == {}

    on_node(story)


def test_a_pod_that_vanished_is_ended_with_the_shortest_grace(on_node):
    async def story(node):
        node.engine.deaf.add("main")
        node.create()
        await moment()
        node.api.take("pods", "web")
        await moment(1.1)
        assert node.engine.statuses == {}

    on_node(story)


def test_no_signal_is_sent_while_traffic_is_routed_to_the_pod(on_node):
    async def story(node):
        node.create()
        await moment()
        node.route("u-web", ready=True)
        node.delete()
        await moment(0.5)
        assert node.engine.running()
        node.route("u-web", ready=False)
        await moment(0.9)
        assert node.engine.running()
        await moment(0.2)
        assert not node.engine.running()

    on_node(story)


def test_an_endpoint_that_never_leaves_holds_the_signal_for_three_seconds_only(on_node):
    async def story(node):
        node.create()
        await moment()
        node.route("u-web", ready=True)
        node.delete()
        await moment(2.9)
        assert node.engine.running()
        await moment(0.2)
        assert not node.engine.running()

    on_node(story)


def test_a_missing_image_is_looked_for_again(on_node):
    async def story(node):
        node.create(containers=[{"name": "main", "image": "later"}])
        await moment()
        assert node.container()["state"]["waiting"]["reason"] == "ErrImagePull"
        await moment(10)
        assert node.container()["state"]["waiting"]["reason"] == "ImagePullBackOff"
        node.engine.load("later")
        await moment(20)
        assert node.status()["phase"] == "Running"

    on_node(story)


def test_a_command_that_is_not_there_crash_loops(on_node):
    async def story(node):
        node.create(containers=[{"name": "main", "image": "hello", "command": ["missing"]}])
        await moment()
        shown = node.container()
        assert shown["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert shown["lastState"]["terminated"]["reason"] == "StartError"
        assert shown["restartCount"] == 1
        await moment(3600)
        assert 10 < node.container()["restartCount"] < 20

    on_node(story)


def test_a_missing_config_map_is_waited_for(on_node):
    async def story(node):
        source = {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "m"}}}
        node.create(containers=[{"name": "main", "image": "hello", "env": [source]}])
        await moment(1)
        assert node.container()["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        node.api.put("configmaps", "cm", {"data": {"m": "fast"}})
        await moment()
        assert node.status()["phase"] == "Running"
        assert node.engine.configurations["container-1"].environment["MODE"] == "fast"

    on_node(story)


def test_a_seccomp_profile_of_the_node_is_waited_for(on_node):
    async def story(node):
        profile = {"type": "Localhost", "localhostProfile": "strict.json"}
        security = {"seccompProfile": profile}
        node.create(containers=[{"name": "main", "image": "hello", "securityContext": security}])
        await moment(1)
        waiting = node.container()["state"]["waiting"]
        assert waiting["reason"] == "CreateContainerError"
        assert "cannot load seccomp profile" in waiting["message"]
        folder = node.services.settings.seccomp_folder
        folder.mkdir(parents=True)
        (folder / "strict.json").write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
        await moment(400)
        assert node.status()["phase"] == "Running"
        given = node.engine.configurations["container-1"].seccomp_profile
        assert given == '{"defaultAction": "SCMP_ACT_ERRNO"}'

    on_node(story)


def test_a_volume_follows_its_config_map(on_node):
    async def story(node):
        node.api.put("configmaps", "cm", {"data": {"m": "fast"}})
        node.create(volumes=[{"name": "v", "configMap": {"name": "cm"}}])
        await moment()
        file = node.folder / "run/pods/u-web/volumes/v/m"
        assert file.read_text() == "fast"
        node.api.put("configmaps", "cm", {"data": {"m": "slow"}})
        await moment()
        assert file.read_text() == "slow"

    on_node(story)


def test_a_volume_that_lacks_something_holds_no_other_back(on_node):
    async def story(node):
        for name in ("one", "two"):
            node.api.put("configmaps", name, {"data": {"m": "old"}})
        volumes = [{"name": name, "configMap": {"name": name}} for name in ("one", "two")]
        node.create(volumes=volumes)
        await moment()
        node.api.take("configmaps", "one")
        await moment(2)
        node.api.put("configmaps", "two", {"data": {"m": "new"}})
        await moment(2)
        folder = node.folder / "run/pods/u-web/volumes"
        assert [(folder / name / "m").read_text() for name in ("one", "two")] == ["old", "new"]
        assert ("FailedMount", 'configmap "one" not found') in node.events

    on_node(story)


def test_a_token_is_renewed_before_it_expires(on_node):
    async def story(node):
        node.create(volumes=[TOKEN_VOLUME])
        await moment()
        file = node.folder / "run/pods/u-web/volumes/token/token"
        assert file.read_text() == "token-1"
        await moment(2900)
        assert file.read_text() == "token-2"

    on_node(story)


def test_a_new_agent_keeps_volumes_up_to_date(on_node):
    async def story(node):
        node.api.put("configmaps", "cm", {"data": {"m": "fast"}})
        node.create(volumes=[{"name": "v", "configMap": {"name": "cm"}}, TOKEN_VOLUME])
        await moment()
        folder = node.folder / "run/pods/u-web/volumes"
        await node.crash()
        await moment()
        assert (folder / "token/token").read_text() == "token-2"
        node.api.put("configmaps", "cm", {"data": {"m": "slow"}})
        await moment()
        assert (folder / "v/m").read_text() == "slow"
        await moment(2 * 3600)
        assert (folder / "token/token").read_text() == "token-3"

    on_node(story)


def test_a_network_that_cannot_be_made_is_tried_again(on_node):
    async def story(node):
        node.network.broken = True
        node.create()
        await moment(3)
        assert node.status()["phase"] == "Pending"
        assert any(reason == "FailedCreatePodSandBox" for reason, _ in node.events)
        node.network.broken = False
        await moment(1)
        assert node.status()["phase"] == "Running"

    on_node(story)


def test_a_pod_that_does_not_fit_fails(on_node):
    async def story(node):
        resources = {"requests": {"cpu": "1500m"}}
        containers = [{"name": "main", "image": "hello", "resources": resources}]
        node.create("one", containers=containers)
        node.create("two", containers=containers)
        await moment()
        assert node.status("one")["phase"] == "Running"
        assert (node.status("two")["phase"], node.status("two")["reason"]) == (
            "Failed",
            "OutOfcpu",
        )
        assert len(node.engine.statuses) == 1

    on_node(story)


def test_a_new_agent_finds_the_same_containers(on_node):
    async def story(node):
        node.create()
        await moment()
        node.engine.end("container-1", 1)
        await moment()
        await node.crash()
        await moment()
        assert node.engine.running() == ["container-2"]
        assert node.container()["restartCount"] == 1
        assert node.container()["lastState"]["terminated"]["exitCode"] == 1
        assert node.container()["ready"]

    on_node(story)


def test_what_happened_while_no_agent_was_there_is_made_up_for(on_node):
    async def story(node):
        node.create()
        await moment()
        await node.manager.close()
        node.engine.end("container-1", 1)
        await node.crash()
        await moment()
        assert node.engine.running() == ["container-2"]
        assert node.container()["restartCount"] == 1

    on_node(story)


def test_after_the_nodes_death_the_pod_has_a_new_network_and_a_restart(on_node):
    async def story(node):
        node.create()
        await moment()
        node.engine.end("container-1", 137)
        await moment()
        node.engine.end("container-2", 137)
        node.network.attached.clear()
        await node.crash()
        await moment()
        assert node.status()["podIP"] == "10.42.0.3"
        assert node.container()["restartCount"] == 2
        assert len(node.engine.running()) == 1

    on_node(story)


def test_the_status_is_written_when_the_server_is_back(on_node):
    async def story(node):
        node.create()
        await moment()
        node.api.reachable = False
        node.engine.end("container-1", 3)
        await moment(60)
        node.api.reachable = True
        await moment(10)
        assert node.container()["restartCount"] == 1

    on_node(story)


def test_a_condition_that_another_set_is_set_right(on_node):
    async def story(node):
        node.create()
        await moment()
        body = node.api.objects["pods", "web"]
        conditions = [
            {**item, "status": "False"} if item["type"] == "Ready" else item
            for item in body["status"]["conditions"]
        ]
        node.api.put(
            "pods", "web", {**body, "status": {**body["status"], "conditions": conditions}}
        )
        await moment()
        ready = next(item for item in node.status()["conditions"] if item["type"] == "Ready")
        assert ready["status"] == "True"

    on_node(story)


def test_the_status_is_written_only_when_it_changes(on_node):
    async def story(node):
        node.create()
        await moment()
        written = node.api.written["web"]
        assert written <= 3
        await moment(600)
        assert node.api.written["web"] == written

    on_node(story)


def test_ports_of_the_node_lead_to_the_pod_while_it_is_there(on_node):
    async def story(node):
        ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]
        node.create(containers=[{"name": "main", "image": "hello", "ports": ports}])
        await moment()
        (port,) = node.ports["u-web"].values()
        assert (port.port, port.address) == (8080, None)
        assert [str(item) for item in port.external_addresses] == ["10.44.0.1", "127.0.0.1"]
        assert [(str(item.address), item.port) for item in port.endpoints] == [("10.42.0.2", 80)]
        await node.crash()
        await moment()
        assert node.ports["u-web"]
        node.delete()
        await moment()
        assert node.ports["u-web"] == {}

    on_node(story)


def test_one_pods_slow_end_holds_up_no_other(on_node):
    async def story(node):
        node.engine.deaf.add("main")
        node.create("slow")
        await moment()
        node.delete("slow", grace=30)
        await moment()
        node.create("quick")
        await moment()
        assert node.status("quick")["phase"] == "Running"

    on_node(story)


def test_a_pod_created_anew_under_its_old_name_is_another(on_node):
    async def story(node):
        node.create()
        await moment()
        body = node.api.objects["pods", "web"]
        node.api.put("pods", "web", {"metadata": {"uid": "u-2"}, "spec": body["spec"]})
        await moment(2)
        assert node.engine.running() == ["container-2"]
        assert set(node.network.attached) == {"u-2"}

    on_node(story)


def test_a_broken_worker_is_replaced_and_its_containers_run_on(on_node, caplog):
    async def story(node):
        node.create()
        await moment()
        worker = node.manager.worker("shop", "web")
        worker.state = None
        worker.wake()
        await moment(0.5)
        assert node.manager.worker("shop", "web") is None
        assert node.engine.running() == ["container-1"]
        await moment(1)
        assert node.manager.worker("shop", "web") is not worker
        assert node.engine.running() == ["container-1"]
        assert "worker of pod shop/web failed" in caplog.text

    on_node(story)


def test_a_pod_that_went_while_its_worker_was_broken_is_ended(on_node):
    async def story(node):
        node.create()
        await moment()
        worker = node.manager.worker("shop", "web")
        worker.state = None
        worker.wake()
        await moment(0.5)
        node.api.take("pods", "web")
        await moment(2)
        assert node.engine.statuses == {}
        assert node.manager.workers() == []

    on_node(story)
