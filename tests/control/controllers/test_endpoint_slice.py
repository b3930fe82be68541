"""Which endpoints a Service's slices show, and how little is rewritten."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sampan.control.controllers import endpoint_slice
from sampan.control.controllers.plan import Create, Delete, Patch, Plan
from sampan.control.controllers.views import EndpointSlice, Pod, Service
from sampan.testing import objects

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def the_service(**spec: Any) -> Service:
    body = objects.service(**spec)
    body["metadata"]["uid"] = "s"
    return msgspec.convert(body, Service)


def pod(name: str, **options: Any) -> Pod:
    options = {"node": "node-1", "ready": True, **options}
    return msgspec.convert(objects.pod(name, **options), Pod)


def planned(service: Service, pods: list[Pod], slices: list[EndpointSlice] | None = None) -> Plan:
    return endpoint_slice.plan(
        endpoint_slice.Snapshot(service, tuple(pods), tuple(slices or ())), NOW
    )


def stored(action: Create | Patch, name: str = "web-x") -> EndpointSlice:
    """The slice as the API would show it after the action."""
    metadata = {"namespace": "default", "uid": name, "resourceVersion": "1"}
    body = dict(action.body)
    body["metadata"] = {**body["metadata"], **metadata, "name": name}
    body.setdefault("addressType", "IPv4")
    return msgspec.convert(body, EndpointSlice)


def only(plan: Plan) -> Create | Patch:
    (action,) = plan.actions
    assert isinstance(action, Create | Patch)
    return action


def test_a_ready_pod_is_an_endpoint_with_its_named_port() -> None:
    create = only(planned(the_service(), [pod("web-1")]))
    assert create.body["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    (endpoint,) = create.body["endpoints"]
    assert tuple(endpoint["addresses"]) == ("10.42.0.9",)
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert endpoint["nodeName"] == "node-1"
    assert endpoint["targetRef"] == {
        "kind": "Pod",
        "namespace": "default",
        "name": "web-1",
        "uid": "uid-web-1",
    }
    assert create.body["metadata"]["labels"]["kubernetes.io/service-name"] == "web"


def test_nothing_is_rewritten_when_nothing_has_changed() -> None:
    service, pods = the_service(), [pod("web-1"), pod("web-2")]
    present = stored(only(planned(service, pods)))
    assert planned(service, pods, [present]).actions == ()


def test_a_terminating_pod_is_withdrawn_at_once_but_still_serves() -> None:
    service = the_service()
    present = stored(only(planned(service, [pod("web-1")])))
    patch = only(planned(service, [pod("web-1", deleting=True)], [present]))
    (endpoint,) = patch.body["endpoints"]
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_unready_pods_are_published_on_request() -> None:
    unready = msgspec.structs.replace(
        pod("web-1"), status=msgspec.structs.replace(pod("web-1").status, conditions=())
    )
    hidden = only(planned(the_service(), [unready]))
    shown = only(planned(the_service(publishNotReadyAddresses=True), [unready]))
    assert hidden.body["endpoints"][0]["conditions"]["ready"] is False
    assert shown.body["endpoints"][0]["conditions"]["ready"] is True


def test_finished_pods_and_pods_without_an_address_are_no_endpoints() -> None:
    pods = [pod("web-1", phase="Succeeded"), pod("web-2", ready=False)]
    assert only(planned(the_service(), pods)).body["endpoints"] == []


def test_slices_hold_a_hundred_and_a_change_rewrites_one() -> None:
    service, pods = the_service(), [pod(f"web-{number}") for number in range(230)]
    slices = []
    for number, action in enumerate(planned(service, pods).actions):
        assert isinstance(action, Create)
        slices.append(stored(action, f"web-{number}"))
    assert [len(each.endpoints or ()) for each in slices] == [100, 100, 30]
    pods[150] = pod("web-150", deleting=True)
    patch = only(planned(service, pods, slices))
    assert isinstance(patch, Patch)
    assert patch.name == "web-1"
    late = only(planned(service, [*pods[:150], *pods[151:], pod("web-new")], slices))
    assert isinstance(late, Patch)
    assert len(late.body["endpoints"]) == 100


def test_pods_with_other_numbers_for_a_port_have_a_slice_of_their_own() -> None:
    container = {"name": "main", "ports": [{"name": "http", "containerPort": 9090}]}
    pods = [pod("web-1"), pod("web-2", containers=[container])]
    plan = planned(the_service(), pods)
    ports = sorted(a.body["ports"][0]["port"] for a in plan.actions if isinstance(a, Create))
    assert ports == [8080, 9090]


def test_a_service_that_loses_its_selector_loses_its_slices() -> None:
    present = stored(only(planned(the_service(), [pod("web-1")])))
    (removal,) = planned(the_service(selector={}), [], [present]).actions
    assert isinstance(removal, Delete)
