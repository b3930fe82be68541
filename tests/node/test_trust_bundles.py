"""Pods whose volumes hold trust bundles: when they start, and what they see."""

import asyncio

SIGNER = "example.com/signer"


def pem(content):
    return f"-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n"


def put(node, name, content, signer="", **labels):
    metadata = {"namespace": "", "labels": labels}
    spec = {"trustBundle": pem(content), "signerName": signer}
    node.api.put("clustertrustbundles", name, {"metadata": metadata, "spec": spec})


def volume(volume_name="trust", **source):
    trust = {"path": "ca.pem", **source}
    return {"name": volume_name, "projected": {"sources": [{"clusterTrustBundle": trust}]}}


def seen(node, name="trust"):
    return (node.folder / f"run/pods/u-web/volumes/{name}/ca.pem").read_text()


async def moment(seconds=0.01):
    await asyncio.sleep(seconds)


def test_a_bundle_by_its_name_and_its_changes(on_node):
    async def story(node):
        put(node, "roots", "AAAA")
        put(node, "others", "BBBB")
        node.create(volumes=[volume(name="roots")])
        await moment()
        assert node.status()["phase"] == "Running"
        assert seen(node) == pem("AAAA")
        put(node, "roots", "CCCC")
        await moment()
        assert seen(node) == pem("CCCC")

    on_node(story)


def test_several_volumes_of_bundles(on_node):
    async def story(node):
        put(node, "one", "AAAA")
        put(node, "two", "BBBB")
        node.create(volumes=[volume("first", name="one"), volume("second", name="two")])
        await moment()
        assert (seen(node, "first"), seen(node, "second")) == (pem("AAAA"), pem("BBBB"))

    on_node(story)


def test_more_than_a_hundred_bundles_in_one_file(on_node):
    async def story(node):
        contents = [f"AAA{number:03}AA" for number in range(120)]
        for number, content in enumerate(contents):
            put(node, f"example.com:signer:{number}", content, SIGNER)
        node.create(volumes=[volume(signerName=SIGNER, labelSelector={})])
        await moment()
        assert seen(node) == "".join(map(pem, contents))

    on_node(story)


def test_bundles_come_and_go_under_a_pod_that_runs(on_node):
    async def story(node):
        put(node, "example.com:signer:a", "AAAA", SIGNER, live="yes")
        put(node, "example.com:signer:b", "BBBB", SIGNER, live="no")
        selector = {"matchLabels": {"live": "yes"}}
        node.create(volumes=[volume(signerName=SIGNER, labelSelector=selector)])
        await moment()
        assert seen(node) == pem("AAAA")
        put(node, "example.com:signer:c", "CCCC", SIGNER, live="yes")
        await moment()
        assert seen(node) == pem("AAAA") + pem("CCCC")
        node.api.take("clustertrustbundles", "example.com:signer:a")
        await moment()
        assert seen(node) == pem("CCCC")

    on_node(story)


def test_a_pod_waits_for_a_bundle_that_it_needs(on_node):
    async def story(node):
        node.create(volumes=[volume(name="late")])
        await moment(60)
        assert node.status()["phase"] == "Pending"
        assert node.container()["state"]["waiting"]["reason"] == "ContainerCreating"
        message = 'clustertrustbundle.certificates.k8s.io "late" not found'
        assert ("FailedMount", message) in node.events
        put(node, "late", "AAAA")
        await moment()
        assert node.status()["phase"] == "Running"

    on_node(story)


def test_a_pod_waits_for_a_signers_bundles(on_node):
    async def story(node):
        put(node, "example.com:signer:a", "AAAA", SIGNER)
        node.create(volumes=[volume(signerName=SIGNER)])
        await moment(60)
        assert node.status()["phase"] == "Pending"

    on_node(story)


def test_what_is_optional_is_an_empty_file(on_node):
    async def story(node):
        sources = [
            volume("named", name="none", optional=True),
            volume("unselected", signerName=SIGNER, optional=True),
            volume("selected", signerName=SIGNER, labelSelector={}, optional=True),
        ]
        node.create(volumes=sources)
        await moment()
        assert node.status()["phase"] == "Running"
        assert [seen(node, each["name"]) for each in sources] == ["", "", ""]
        put(node, "example.com:signer:a", "AAAA", SIGNER)
        await moment()
        assert seen(node, "selected") == pem("AAAA")
        assert seen(node, "unselected") == ""

    on_node(story)


def test_a_new_agent_keeps_bundles_up_to_date(on_node):
    async def story(node):
        put(node, "roots", "AAAA")
        node.create(volumes=[volume(name="roots")])
        await moment()
        await node.crash()
        await moment()
        put(node, "roots", "BBBB")
        await moment()
        assert seen(node) == pem("BBBB")

    on_node(story)
