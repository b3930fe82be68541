"""The generated files of pods, as pairs of a pod and a text."""

import pytest

from sampan.node.pod_files import hostname, hosts_file, resolver_file

OF_NODE = "# the node's own\nnameserver 192.0.2.1\nsearch corp.example\noptions timeout:1\n"
DNS = "10.43.0.10"
DOMAIN = "cluster.local"


def test_cluster_first_asks_the_clusters_dns(make_pod):
    assert resolver_file(make_pod(), DNS, DOMAIN, OF_NODE) == (
        "nameserver 10.43.0.10\n"
        "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\n"
        "options ndots:5\n"
    )


@pytest.mark.parametrize(
    "spec", [{"dnsPolicy": "Default"}, {"dnsPolicy": "ClusterFirst", "hostNetwork": True}]
)
def test_the_nodes_own_resolver(make_pod, spec):
    assert resolver_file(make_pod(spec), DNS, DOMAIN, OF_NODE) == (
        "nameserver 192.0.2.1\nsearch corp.example\noptions timeout:1\n"
    )


def test_cluster_first_with_host_net(make_pod):
    spec = {"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}
    assert resolver_file(make_pod(spec), DNS, DOMAIN, "").startswith("nameserver 10.43.0.10\n")


def test_the_pods_own_configuration_is_added(make_pod):
    own = {
        "nameservers": ["192.0.2.9"],
        "searches": ["a.example"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }
    text = resolver_file(make_pod({"dnsPolicy": "None", "dnsConfig": own}), DNS, DOMAIN, OF_NODE)
    assert text == "nameserver 192.0.2.9\nsearch a.example\noptions ndots:2 edns0\n"


def test_a_resolver_is_bounded(make_pod):
    own = {"nameservers": [f"192.0.2.{n}" for n in range(9)], "searches": ["x" * 300] * 9}
    own["searches"] = [f"{n}{'x' * 300}.example" for n in range(9)]
    text = resolver_file(make_pod({"dnsConfig": own}), DNS, DOMAIN, "")
    assert text.count("nameserver") == 3
    assert max(len(line) for line in text.splitlines()) < 2100


def test_hosts(make_pod):
    pod = make_pod({"hostAliases": [{"ip": "192.0.2.7", "hostnames": ["db", "cache"]}]})
    lines = hosts_file(pod, "10.42.0.5", "web", DOMAIN).splitlines()
    assert "10.42.0.5\tweb" in lines
    assert lines[-1] == "192.0.2.7\tdb\tcache"
    named = make_pod({"hostname": "one", "subdomain": "sub"})
    assert "10.42.0.5\tone.sub.shop.svc.cluster.local\tone" in hosts_file(
        named, "10.42.0.5", "one", DOMAIN
    )


def test_host_names(make_pod):
    assert hostname(make_pod(), "node-1") == "web"
    assert hostname(make_pod({"hostname": "one"}), "node-1") == "one"
    assert hostname(make_pod({"hostNetwork": True}), "node-1") == "node-1"
    long = make_pod(metadata={"name": "a" * 62 + "-" + "b" * 40})
    assert hostname(long, "node-1") == "a" * 62
