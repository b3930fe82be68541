"""Addresses and node ports of services: asked for, given, kept, given back."""

import asyncio

import pytest

SERVICES = "/api/v1/namespaces/default/services"
MERGE = {"content-type": "application/merge-patch+json"}


def service(name, **spec):
    ports = [{"port": 80}]
    metadata = {"name": name}
    spec = {"ports": ports} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def test_services_made_at_once_share_nothing(play):
    async def story(api):
        made = await asyncio.gather(
            *(api.create(SERVICES, service(f"s{n}", type="NodePort")) for n in range(60))
        )
        addresses = {it["spec"]["clusterIP"] for it in made}
        ports = {it["spec"]["ports"][0]["nodePort"] for it in made}
        assert len(addresses) == len(ports) == 60
        assert all(address.startswith("10.43.") for address in addresses)
        assert all(30000 <= port <= 32767 for port in ports)

    play(story)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"clusterIP": "10.43.0.10"}, "spec.clusterIPs"),
        ({"clusterIP": "192.0.2.1"}, "spec.clusterIPs"),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            "spec.ports[0].nodePort",
        ),
        ({"ipFamilyPolicy": "RequireDualStack"}, "spec.ipFamilyPolicy"),
        ({"ipFamilies": ["IPv6"]}, "spec.ipFamilies[0]"),
    ],
)
def test_what_cannot_be_given_is_refused(play, spec, field):
    async def story(api):
        answer = await api.send("POST", SERVICES, service("s", **spec))
        assert answer.code == 422
        assert field in [it["field"] for it in answer["details"]["causes"]]
        assert (await api.send("GET", f"{SERVICES}/s")).code == 404

    play(story)


def test_no_service_claims_addresses_of_others(play):
    async def story(api):
        refused = await api.send("POST", SERVICES, service("s", externalIPs=["192.0.2.9"]))
        assert refused.code == 403
        assert refused["message"].endswith("Use of external IPs is denied by admission control.")
        await api.create(SERVICES, service("s"))
        change = {"spec": {"externalIPs": ["192.0.2.9"]}}
        changed = await api.send("PATCH", f"{SERVICES}/s", change, headers=MERGE)
        assert changed.code == 403
        other = {"metadata": {"labels": {"a": "b"}}}
        assert (await api.send("PATCH", f"{SERVICES}/s", other, headers=MERGE)).code == 200

    play(story)


def test_an_address_belongs_to_one_service_until_it_ends(play):
    async def story(api):
        asked = {"clusterIP": "10.43.7.7", "type": "NodePort"}
        ports = {"ports": [{"port": 80, "nodePort": 31000}]}
        await api.create(SERVICES, service("one", **asked, **ports))
        taken = await api.send("POST", SERVICES, service("two", **asked))
        assert taken.code == 422
        assert "already allocated" in taken["message"]
        taken = await api.send("POST", SERVICES, service("two", type="NodePort", **ports))
        assert taken.code == 422
        await api.send("DELETE", f"{SERVICES}/one")
        await api.create(SERVICES, service("two", **asked, **ports))

    play(story)


def test_an_update_keeps_what_was_given(play):
    async def story(api):
        made = await api.create(SERVICES, service("s", type="NodePort"))
        replaced = await api.send("PUT", f"{SERVICES}/s", service("s", type="NodePort"))
        assert replaced["spec"]["clusterIP"] == made["spec"]["clusterIP"]
        assert replaced["spec"]["ports"] == made["spec"]["ports"]
        patch = {"metadata": {"labels": {"a": "b"}}}
        patched = await api.send("PATCH", f"{SERVICES}/s", patch, headers=MERGE)
        assert patched["spec"] == replaced["spec"]

    play(story)


def test_a_dry_run_gives_nothing_away(play):
    async def story(api):
        spec = {"clusterIP": "10.43.7.7"}
        for _ in range(2):
            answer = await api.send("POST", SERVICES, service("s", **spec), dryRun="All")
            assert answer.code == 201
        await api.create(SERVICES, service("s", **spec))

    play(story)


def test_the_clusters_own_services_are_there(play):
    async def story(api):
        kubernetes = await api.send("GET", f"{SERVICES}/kubernetes")
        assert kubernetes["spec"]["clusterIP"] == "10.43.0.1"
        dns = await api.send("GET", "/api/v1/namespaces/kube-system/services/kube-dns")
        assert dns["spec"]["clusterIP"] == "10.43.0.10"
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
        slice_ = await api.send("GET", slices)
        assert slice_["endpoints"][0]["addresses"] == ["10.44.0.1"]

    play(story)


def test_a_port_for_health_checks_is_given_and_kept(play):
    async def story(api):
        local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
        made = await api.create(SERVICES, service("s", **local))
        port = made["spec"]["healthCheckNodePort"]
        assert 30000 <= port <= 32767
        assert port != made["spec"]["ports"][0]["nodePort"]
        taken = service("t", type="NodePort", ports=[{"port": 80, "nodePort": port}])
        assert (await api.send("POST", SERVICES, taken)).code == 422
        spec = {key: it for key, it in made["spec"].items() if key != "healthCheckNodePort"}
        kept = await api.send("PUT", f"{SERVICES}/s", made | {"spec": spec})
        assert kept["spec"]["healthCheckNodePort"] == port
        change = {"spec": {"externalTrafficPolicy": "Cluster"}}
        changed = await api.send("PATCH", f"{SERVICES}/s", change, headers=MERGE)
        assert "healthCheckNodePort" not in changed["spec"]
        assert (await api.send("POST", SERVICES, taken)).code == 201

    play(story)


def test_a_load_balancer_may_do_without_node_ports(play):
    async def story(api):
        plain = service("s", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
        assert "nodePort" not in (await api.create(SERVICES, plain))["spec"]["ports"][0]

    play(story)


def test_the_endpoints_of_a_service_without_address_and_selector_are_of_any_family(play):
    async def story(api):
        made = await api.create(SERVICES, service("s", clusterIP="None"))
        assert made["spec"]["ipFamilies"] == ["IPv4", "IPv6"]
        assert made["spec"]["ipFamilyPolicy"] == "RequireDualStack"
        change = {"spec": {"selector": {"app": "web"}}}
        assert (await api.send("PATCH", f"{SERVICES}/s", change, headers=MERGE)).code == 200

    play(story)
