"""Receiving through the real binary: what a source does, and what is left of it after a kill."""

import base64
import gzip
import json
import signal
import zlib

import pytest

from harness import Server, wait_until


class Source:
    """A source of the native API."""

    def __init__(self, server, **settings):
        self.server = server
        made = self.native("POST", "/v1/sources", settings)
        self.id, self.path, self.dataset = made["id"], made["path"], made["dataset"]

    def native(self, method, path, body=None):
        headers = {"x-ultracart-simple-key": self.server.simple_key}
        if body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body)
        answer = self.server.http(method, path, body, headers)
        assert 200 <= answer.status < 300, answer.body
        return answer.json if answer.body else None

    def send(self, body, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.http("POST", self.path, body, names)

    def list(self, what):
        return self.native("GET", f"/v1/sources/{self.id}/{what}")[what]

    def cells(self):
        path = f"/workspaces/1/projects/1/datasets/{self.dataset}/data"
        answer = self.server.http("GET", path, headers=self.server.pair)
        rows = answer.json["data"]
        return [rows[number][0] for number in sorted(rows, key=int)]


@pytest.fixture
def own(tmp_path):
    server = Server(tmp_path).start()
    yield server
    server.stop()


def test_a_repeat_is_known_after_a_kill(own):
    source = Source(own, mode="combine")
    named = {"webhook_id": "msg_1"}
    assert source.send('{"a":1}', **named).json == {"status": "ok", "rows": 1}
    own.process.send_signal(signal.SIGKILL)
    own.process.wait(10)
    own.start()
    again = source.send('{"a":1}', **named)
    assert (again.status, again.json) == (201, {"status": "ok", "rows": 0})
    assert source.cells() == ['{"a":1}']
    assert len(source.list("deliveries")) == 1


def test_codings_are_undone_and_kept_as_they_came(own):
    source = Source(own, mode="combine")
    text = b'{"coded": true}'
    raw = zlib.compressobj(wbits=-15)
    raw = raw.compress(text) + raw.flush()
    for coding, body in [("gzip", gzip.compress(text)), ("deflate", zlib.compress(text)), ("deflate", raw)]:
        assert source.send(body, content_encoding=coding).status == 201
        newest = source.list("deliveries")[0]
        one = source.native("GET", f"/v1/sources/{source.id}/deliveries/{newest['id']}")
        assert base64.b64decode(one["body_base64"]) == body
    assert source.cells() == [text.decode()] * 3
    bomb = gzip.compress(b" " * (200 << 20))
    assert source.send(bomb, content_encoding="gzip").status == 413


def test_rejections_survive_a_stop(own):
    source = Source(own, secret="s3cret")
    for _ in range(30):
        assert source.send("1").status == 401
    assert source.send("1", x_webhook_secret="s3cret").status == 201
    assert own.stop() == 0
    own.start()
    lines = source.list("rejections")
    assert {line["cause"] for line in lines} == {"proof"}
    assert sum(line["count"] for line in lines) == 30
    assert all(line["address"] == "127.0.0.1" for line in lines)


@pytest.mark.embedded("it measures the directory's files")
def test_a_large_delivery_is_kept_once(own):
    source = Source(own, mode="combine")
    body = json.dumps(["x" * 1000] * 10_000).encode()
    assert len(body) > 10_000_000
    before = sum(file.stat().st_size for file in own.data.iterdir())
    assert source.send(body, content_type="application/json").status == 201
    newest = source.list("deliveries")[0]
    one = source.native("GET", f"/v1/sources/{source.id}/deliveries/{newest['id']}")
    assert base64.b64decode(one["body_base64"]) == body
    # The row, and once more in the write-ahead log.
    grown = sum(file.stat().st_size for file in own.data.iterdir()) - before
    assert grown < 2.2 * len(body)


def test_a_loop_ends(own):
    """A source publishes what it gets, and an endpoint delivers that to the source."""
    source = Source(own, mode="combine", republish={"event_type": "item_update"})
    source.native("POST", "/v1/endpoints", {
        "url": own.url + source.path, "subscriptions": [{"event_type": "item_update"}]})
    assert source.send('{"n":1}').status == 201
    wait_until(lambda: [line["cause"] for line in source.list("rejections")] == ["loop"],
               what="the end of the loop")
    assert len(source.cells()) == 9


def test_events_land_in_a_dataset(own):
    source = Source(own, mode="combine", republish={"event_type": "order_create"})
    target = Source(own, mode="combine")
    source.native("POST", "/v1/endpoints", {
        "url": f"dataset:{target.dataset}", "subscriptions": [{"event_type": "order_create"}]})
    for number in range(20):
        assert source.send(json.dumps({"order_id": number})).status == 201
    wait_until(lambda: len(target.cells()) == 20, what="the landing")
    assert target.cells()[7] == '{"order_create":{"order_id": 7}}'
