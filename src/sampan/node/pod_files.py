"""The text of the files that every pod gets: /etc/resolv.conf, /etc/hosts, its host name. Pure.

Rules: "DNS for Services and Pods" of the Kubernetes documentation, resolv.conf(5), hosts(5).
"""

from sampan.node.pod_view import DnsConfiguration, Pod

LONGEST_HOSTNAME = 63
MOST_NAMESERVERS = 3
MOST_SEARCHES = 32
MOST_SEARCH_CHARACTERS = 2048


def hostname(pod: Pod, node_name: str) -> str:
    """spec.hostname or the pod's name, cut to what a host name may be."""
    if pod.spec.host_network:
        return node_name
    return (pod.spec.hostname or pod.metadata.name)[:LONGEST_HOSTNAME].rstrip("-.")


def domain_of(pod: Pod, cluster_domain: str) -> str:
    """The pod's full name where it has a subdomain, else ""."""
    if not pod.spec.subdomain:
        return ""
    name = pod.spec.hostname or pod.metadata.name
    return f"{name}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}"


def hosts_file(pod: Pod, address: str, name: str, cluster_domain: str) -> str:
    lines = [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
    ]
    if address:
        full = domain_of(pod, cluster_domain)
        lines.append("\t".join(filter(None, (address, full, name))))
    lines += ["\t".join((alias.ip, *alias.hostnames)) for alias in pod.spec.host_aliases]
    return "\n".join(lines) + "\n"


def resolver_file(pod: Pod, dns_address: str, cluster_domain: str, of_node: str) -> str:
    """resolv.conf for the pod's dnsPolicy; `of_node` is the text of the node's own."""
    policy = pod.spec.dns_policy
    if policy == "None":
        base = Resolver()
    elif policy == "Default" or (policy == "ClusterFirst" and pod.spec.host_network):
        base = parse_resolver(of_node)
    else:
        zone = f"svc.{cluster_domain}"
        searches = [f"{pod.metadata.namespace}.{zone}", zone, cluster_domain]
        base = Resolver(
            nameservers=[dns_address],
            searches=searches + parse_resolver(of_node).searches,
            options=["ndots:5"],
        )
    return _merged(base, pod.spec.dns_config).text()


class Resolver:
    """What a resolv.conf says."""

    def __init__(
        self,
        nameservers: list[str] | None = None,
        searches: list[str] | None = None,
        options: list[str] | None = None,
    ) -> None:
        self.nameservers = nameservers or []
        self.searches = searches or []
        self.options = options or []

    def text(self) -> str:
        searches: list[str] = []
        for name in dict.fromkeys(self.searches):
            if len(" ".join([*searches, name])) > MOST_SEARCH_CHARACTERS:
                break
            searches.append(name)
        lines = [f"nameserver {item}" for item in self.nameservers[:MOST_NAMESERVERS]]
        if searches:
            lines.append("search " + " ".join(searches[:MOST_SEARCHES]))
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "\n".join(lines) + "\n"


def parse_resolver(text: str) -> Resolver:
    found = Resolver()
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            found.nameservers.append(words[1])
        elif words[0] == "search":
            found.searches = [name for name in words[1:] if name != "."]
        elif words[0] == "options":
            found.options = words[1:]
    return found


def _merged(base: Resolver, own: DnsConfiguration) -> Resolver:
    """The pod's dnsConfig adds servers and searches, and replaces options of the same name."""
    options = {item.split(":")[0]: item for item in base.options}
    for option in own.options:
        options[option.name] = f"{option.name}:{option.value}" if option.value else option.name
    return Resolver(
        nameservers=list(dict.fromkeys([*base.nameservers, *own.nameservers])),
        searches=base.searches + list(own.searches),
        options=list(options.values()),
    )
