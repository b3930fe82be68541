"""What the API tells about itself."""

import json

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_discovery_in_both_forms(play):
    async def story(api):
        whole = await api.send("GET", "/apis", headers={"accept": AGGREGATED})
        assert whole["kind"] == "APIGroupDiscoveryList"
        assert whole.headers["Content-Type"] == AGGREGATED
        groups = [it["metadata"]["name"] for it in whole["items"]]
        core = await api.send("GET", "/api", headers={"accept": AGGREGATED})
        assert core["items"][0]["versions"][0]["version"] == "v1"
        listed = await api.send("GET", "/apis")
        assert [it["name"] for it in listed["groups"]] == groups
        for group in groups:
            assert (await api.send("GET", f"/apis/{group}")).code == 200
            resources = await api.send("GET", f"/apis/{group}/v1")
            assert resources["kind"] == "APIResourceList"
        assert (await api.send("GET", "/apis/nothing.example.com")).code == 404

    play(story)


def test_a_document_that_is_known_is_not_sent_again(play):
    async def story(api):
        first = await api.send("GET", "/apis")
        tag = {"if-none-match": first.headers["ETag"]}
        again = await api.send("GET", "/apis", headers=tag)
        assert again.code == 304
        assert again.raw == b""

    play(story)


def test_health(play):
    async def story(api):
        assert (await api.send("GET", "/readyz")).json == "ok"
        verbose = await api.send("GET", "/readyz", verbose="")
        assert "[+]cache ok" in verbose.json
        assert (await api.send("GET", "/livez/ping")).code == 200
        assert (await api.send("GET", "/livez/nothing")).code == 404
        api.server.begin_shutdown()
        assert (await api.send("GET", "/readyz")).code == 500
        assert (await api.send("GET", "/livez")).code == 200

    play(story)


def test_version_and_metrics(play):
    async def story(api):
        version = await api.send("GET", "/version")
        assert (version["major"], version["minor"]) == ("1", "37")
        await api.send("GET", "/api/v1/nodes")
        metrics = (await api.send("GET", "/metrics")).json
        counted = 'apiserver_request_total{code="200",resource="nodes",subresource="",verb="list"}'
        assert f"{counted} 1" in metrics

    play(story)


def test_nothing_of_a_failure_leaves_the_server(play, monkeypatch, caplog):
    async def story(api):
        async def fail(_call):
            raise RuntimeError("a secret")

        monkeypatch.setattr("sampan.control.api.routing.Router._handler", lambda *_: fail)
        answer = await api.send("GET", "/api/v1/nodes")
        assert answer.code == 500
        assert answer["reason"] == "InternalError"
        assert "secret" not in json.dumps(answer.json)

    play(story)
    assert "a secret" in caplog.text
