"""Receiving through the real binary: what a source does, and what is left of it after a kill."""

import base64
import concurrent.futures
import gzip
import hmac
import json
import pathlib
import random
import signal
import time
import zlib

import pytest

from harness import Server, wait_until


# Of a large body: what it was decoded to, what is compressed of it, and twice in the statement that
# writes it, which is one at a time.
ONE_COPIES = 6
EIGHT_COPIES = 8 * 2 + 4


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


    def doctor(self, **question):
        return self.native("POST", f"/v1/sources/{self.id}/doctor", question)


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


def on_disk(server):
    return sum(file.stat().st_size for file in server.data.iterdir())


@pytest.mark.embedded("it measures the directory's files")
@pytest.mark.parametrize("compresses", [False, True])
def test_a_large_delivery_is_kept_once(own, compresses):
    source = Source(own, mode="combine")
    body = large_body(compresses)
    before = on_disk(own)
    assert source.send(body, content_type="application/json").status == 201
    newest = source.list("deliveries")[0]
    one = source.native("GET", f"/v1/sources/{source.id}/deliveries/{newest['id']}")
    assert base64.b64decode(one["body_base64"]) == body
    assert source.cells() == [body.decode()]
    # The row, and once more in the write-ahead log.
    grown = on_disk(own) - before
    assert grown < (0.8 if compresses else 2.2) * len(body)


def large_body(compresses):
    """JSON of just less than 10 MiB."""
    if compresses:
        item = {"sku": "SKU-%d", "title": "a blue shirt", "price": "%d.00", "currency": "USD"}
        text = json.dumps(item)
        return ("[" + ",".join(text % (n, n * 7919 % 1000) for n in range(120_000)) + "]").encode()
    return json.dumps(base64.b64encode(random.Random(1).randbytes(7_800_000)).decode()).encode()


def peak_mb(server):
    """The most memory that the server has had so far."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


@pytest.mark.embedded("PostgreSQL takes several at a time")
@pytest.mark.parametrize("compresses", [False, True])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_large_delivery_is_in_memory_once(own, compresses, coding):
    """One that comes alone costs a few times its size for the moment in which it is written; of
    several at a time each waits its turn in little more than its own size."""
    source = Source(own, mode="combine")
    for _ in range(20):
        assert source.send("{}").status == 201
    body = large_body(compresses)
    mb = len(body) / (1 << 20)
    assert 9 < mb < 10
    headers = {"content_type": "application/json"}
    if coding:
        body, headers["content_encoding"] = gzip.compress(body, 1), coding
    before = peak_mb(own)
    assert source.send(body, **headers).status == 201
    one = (peak_mb(own) - before) / mb
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(source.send, body, **headers) for _ in range(8)]
        assert {answer.result().status for answer in sent} == {201}
    eight = (peak_mb(own) - before) / mb
    print(f"{one:.1f} times the size for one, {eight:.1f} for eight at a time")
    assert one < ONE_COPIES
    assert eight < EIGHT_COPIES


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


def signed(secret, body):
    mac = hmac.new(secret.encode(), body.encode() if isinstance(body, str) else body, "sha256")
    return "sha256=" + mac.hexdigest()


def test_the_doctor_knows_why_a_kept_request_was_refused(own):
    source = Source(own, mode="combine")
    verification = {"provider": "github", "secrets": ["right"]}
    source.native("PUT", f"/v1/sources/{source.id}/verification", verification)
    body = '{"a": 1, "b": "\u00e9/"}'
    compact = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False)
    cases = [
        ("body_changed", compact, body, {}),
        ("body_changed", body + "\n", body, {}),
        ("body_changed", body, gzip.compress(body.encode()), {"content_encoding": "gzip"}),
        ("wrong_secret", None, body, {}),
        ("signature_encoding", "bare", body, {}),
    ]
    for cause, what, sent, headers in cases:
        signature = signed("right" if what else "wrong", what or body)
        if what == "bare":
            signature = signed("right", body).removeprefix("sha256=")
        refused = source.send(sent, x_hub_signature_256=signature, **headers)
        assert refused.status == 401 and b"signature" not in refused.body, refused.body
        line = source.list("rejections")[0]
        assert line["has_request"], line
        found = source.doctor(rejection=line["id"])
        assert (found["verified"], found["cause"]) == (False, cause), (what, found)
    # It is there after a kill, and a correction is judged by it.
    own.process.send_signal(signal.SIGKILL)
    own.process.wait(10)
    own.start()
    assert source.doctor(rejection=line["id"])["cause"] == "signature_encoding"
    secret = {"provider": "generic-hmac", "header": "x-hub-signature-256", "secrets": ["right"]}
    source.native("PUT", f"/v1/sources/{source.id}/verification", secret)
    assert source.doctor(rejection=line["id"])["verified"], "its prefix may be missing"
    shown = source.native("GET", f"/v1/sources/{source.id}/rejections/{line['id']}")
    assert base64.b64decode(shown["request"]["body_base64"]).decode() == body


def test_the_doctor_tells_a_clock_and_a_url_behind_a_proxy(own):
    source = Source(own, mode="combine")
    verification = {"provider": "slack", "secrets": ["right"]}
    source.native("PUT", f"/v1/sources/{source.id}/verification", verification)
    old = str(int(time.time()) - 3_600)
    mac = hmac.new(b"right", f"v0:{old}:{{}}".encode(), "sha256").hexdigest()
    stale = {"x_slack_request_timestamp": old, "x_slack_signature": f"v0={mac}"}
    assert source.send("{}", **stale).status == 401
    found = source.doctor(rejection=source.list("rejections")[0]["id"])
    assert found["cause"] == "stale_timestamp" and abs(found["skew_seconds"] + 3_600) < 60, found
    assert "otherwise the request is right" in found["explanation"]


def test_the_doctor_finds_the_url_that_a_proxy_hides(tmp_path):
    server = Server(tmp_path, "--public-url", "https://hooks.example.com").start()
    try:
        source = Source(server, mode="combine")
        verification = {"provider": "square", "secrets": ["right"]}
        source.native("PUT", f"/v1/sources/{source.id}/verification", verification)
        url = "https://hooks.example.com/public" + source.path
        mac = hmac.new(b"right", (url + "{}").encode(), "sha256").digest()
        headers = {
            "x_square_hmacsha256_signature": base64.b64encode(mac).decode(),
            "x_forwarded_prefix": "/public",
        }
        assert source.send("{}", **headers).status == 401
        found = source.doctor(rejection=source.list("rejections")[0]["id"])
        assert found["cause"] == "wrong_url" and url in found["explanation"], found
    finally:
        server.stop()


def test_rows_of_the_owner_are_there_once_after_a_kill(own):
    source = Source(own, mode="replace")
    source.send('{"n":0}')
    headers = {
        "x-ultracart-simple-key": own.simple_key,
        "content-type": "application/x-ndjson",
        "content-encoding": "gzip",
        "idempotency-key": "import-1",
    }
    body = gzip.compress(b'{"n":1}\n{"n" : 2.0}\n')
    path = f"/v1/datasets/{source.dataset}/rows"
    assert own.http("POST", path, body, headers).json["rows"] == 2
    own.process.send_signal(signal.SIGKILL)
    own.process.wait(10)
    own.start()
    again = own.http("POST", path, body, headers)
    assert (again.status, again.json) == (200, {"rows": 0, "duplicate": True})
    assert [json.loads(cell) for cell in source.cells()] == [{"n": 0}, {"n": 1}, {"n": 2.0}]
