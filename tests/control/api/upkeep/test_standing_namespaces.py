"""The namespace of the nodes' leases may be deleted, as upstream's; it comes back at once."""

import asyncio

LEASES = "/api/v1/namespaces/kube-node-lease"


def test_the_namespace_of_leases_is_made_anew_once_it_is_gone(play):
    async def story(api):
        before = await api.send("GET", LEASES)
        assert (await api.send("DELETE", LEASES)).code == 200
        ending = await api.send("GET", LEASES)
        assert ending["status"]["phase"] == "Terminating"
        emptied = {**ending.json, "spec": {"finalizers": []}}
        assert (await api.send("PUT", f"{LEASES}/finalize", emptied)).code == 200
        await asyncio.sleep(1)
        after = await api.send("GET", LEASES)
        assert after["status"]["phase"] == "Active"
        assert after["metadata"]["uid"] != before["metadata"]["uid"]

    play(story)
