"""Inputs that cost much more than their bytes, against the real binary: whoever sends them waits for
them, and nobody else. While each comes from several connections at once, the probe for life and the
publishes of another workspace are answered as usual."""

import base64
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest

from harness import Server, command

# Seconds that an answer to somebody else may take. On a machine of two busy processors; it was 18 s
# for the members and 124 s for the rules.
PATIENCE = 1.5

# Connections that a hostile caller has at once.
CALLERS = 8

HOOKS = "/webhook/webhooks"
JSON = {"Content-Type": "application/json"}
EMPTY_MEMBER = gzip.compress(b"", mtime=0)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("work")).start()
    yield server
    assert server.stop() == 0


def native(server, method, path, body=None, key=None):
    headers = {"x-ultracart-simple-key": key or server.simple_key}
    answer = server.http(method, path, body, headers)
    assert answer.status < 300, answer.body
    return answer.json if answer.body else None


@pytest.fixture(scope="module")
def other(server):
    """The key of another workspace, which publishes while the first one's are attacked."""
    made = command("workspace", "create", "OTHER", "--json", env=server.place)
    assert made.returncode == 0, made.stderr
    number = json.loads(made.stdout.splitlines()[0])["id"]
    return server.credential("--workspace", str(number))["simple_key"]


def source(server, **settings):
    """A new source; only its path is needed to send to it."""
    return native(server, "POST", "/v1/sources", settings)


def subscribe(server, event_name, rule):
    """The number of a new endpoint that wants what a rule says."""
    event = {"event_name": event_name, "event_ruler": json.dumps(rule)}
    body = {"webhook_url": "http://127.0.0.1:1/nobody", "event_categories": [{"events": [event]}]}
    answer = server.ultracart("POST", HOOKS, body)
    assert answer.status == 200, answer.body
    return answer.json["webhook"]["webhook_oid"]


def unsubscribe(server, endpoint):
    assert server.ultracart("DELETE", f"{HOOKS}/{endpoint}").status == 204


def ambiguous():
    """4 KB: one path spelled in several ways, with an array below each. Millions of steps for each
    branch of the rule below."""
    array = [{f"k{key}": 1 for key in range(4)}] * 8
    return json.dumps({
        "a": {"b": {"c": {"d": array}, "c.d": array}, "b.c": {"d": array}, "b.c.d": array},
        "a.b": {"c": {"d": array}, "c.d": array}, "a.b.c": {"d": array},
        "a.b.c.d": [{"x": 1}, {"y": 1}]}, separators=(",", ":"))


def searching(branches):
    """A rule of which each branch has to try all that there is in such an event."""
    def branch(number):
        fields = {f"k{key}": [{"numeric": [">=", -number]}] for key in range(4)}
        return {"a.b.c.d": {**fields, "x": [1], "y": [1]}}
    return {"$or": [branch(number) for number in range(branches)]}


class Watch:
    """Asks cheap questions all the time; the longest that one took."""

    def __init__(self, server, key):
        self.server, self.key, self.worst, self.asked = server, key, {}, 0
        self.ended = threading.Event()

    def ask(self, connection, number):
        event = {"specversion": "1.0", "type": "item_update", "source": "/watch",
                 "id": f"{id(self)}-{number}", "data": {"n": number}}
        yield "livez", ("GET", "/livez", None, {})
        yield "publish", ("POST", "/v1/events", json.dumps(event), {
            "Content-Type": "application/cloudevents+json", "x-ultracart-simple-key": self.key})

    def run(self):
        at = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=60)
        with contextlib.closing(connection):
            number = 0
            while not self.ended.is_set():
                number += 1
                for name, question in self.ask(connection, number):
                    started = time.monotonic()
                    connection.request(*question)
                    answer = connection.getresponse()
                    body = answer.read()
                    assert answer.status in (200, 202), body
                    took = time.monotonic() - started
                    self.worst[name] = max(took, self.worst.get(name, 0))
                    self.asked += 1

    def __enter__(self):
        self.thread = concurrent.futures.ThreadPoolExecutor(1)
        self.running = self.thread.submit(self.run)
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.running.result()
        self.thread.shutdown()


def attack(server, other, requests):
    """Sends requests from several connections; the statuses of the answers. Meanwhile others are
    answered."""
    with Watch(server, other) as watch, concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda request: server.http(*request), requests))
    assert watch.asked > 0 and max(watch.worst.values()) < PATIENCE, watch.worst
    return answers


def statuses(answers):
    return {answer.status for answer in answers}


def test_a_body_of_half_a_million_gzip_members(server, other):
    path = source(server)["path"]
    body = EMPTY_MEMBER * (10_000_000 // len(EMPTY_MEMBER))
    headers = {**JSON, "Content-Encoding": "gzip"}
    answers = attack(server, other, [("POST", path, body, headers)] * 16)
    assert statuses(answers) <= {400, 503} and 400 in statuses(answers)
    refused = next(answer for answer in answers if answer.status == 400)
    assert b"members" in refused.body


def test_bodies_that_decode_to_a_thousand_times_as_much(server, other):
    path = source(server)["path"]
    body = gzip.compress(b"[" + b"0," * 4_500_000 + b"0]")
    headers = {**JSON, "Content-Encoding": "gzip"}
    answers = attack(server, other, [("POST", path, body, headers)] * 12)
    assert statuses(answers) <= {201, 503} and 201 in statuses(answers)


def test_many_small_bodies_in_gzip_are_all_taken(server, other):
    path = source(server)["path"]
    body = gzip.compress(b'{"some":"thing"}')
    headers = {**JSON, "Content-Encoding": "gzip"}
    answers = attack(server, other, [("POST", path, body, headers)] * 200)
    assert statuses(answers) == {201}


def test_an_event_that_64_branches_have_to_search(server, other):
    endpoint = subscribe(server, "order_create", searching(64))
    event = {"specversion": "1.0", "type": "order_create", "source": "/tests", "id": "hostile"}
    body = '%s,"data":%s}' % (json.dumps(event)[:-1], ambiguous())
    headers = {"Content-Type": "application/cloudevents+json",
               "x-ultracart-simple-key": server.simple_key}
    answers = attack(server, other, [("POST", "/v1/events", body, headers)] * 4)
    assert statuses(answers) <= {400, 503} and 400 in statuses(answers)
    refused = next(answer for answer in answers if answer.status == 400).json
    assert f"the rule of endpoint {endpoint}" in refused["detail"], refused
    # Nothing of it is stored, and the type goes on for others.
    assert server.publish("order_create", {"n": 1}, "well")["matched"] == 0
    unsubscribe(server, endpoint)


def test_deliveries_that_64_branches_have_to_search(server, other):
    endpoint = subscribe(server, "order_update", searching(64))
    made = source(server, republish={"event_type": "order_update"})
    answers = attack(server, other, [("POST", made["path"], ambiguous(), JSON)] * 4)
    assert statuses(answers) <= {201, 503} and 201 in statuses(answers)
    log = native(server, "GET", f"/v1/sources/{made['id']}/rejections")["rejections"]
    assert {line["cause"] for line in log} == {"unmatchable"}
    assert f"endpoint {endpoint}" in log[0]["detail"], log
    unsubscribe(server, endpoint)


def test_trying_a_rule_on_an_event_that_takes_too_long(server, other):
    body = '{"rule":%s,"event":%s}' % (json.dumps(searching(64)), ambiguous())
    headers = {**JSON, "x-ultracart-simple-key": server.simple_key}
    answers = attack(server, other, [("POST", "/v1/rules/test", body, headers)] * 4)
    assert statuses(answers) <= {400, 503} and 400 in statuses(answers)


def test_rules_that_take_long_to_read(server, other):
    fields = ",".join(f'"w{number}":[1]' for number in range(50))
    branches = ",".join(f'"$or":[{{"a{n}":[1]}},{{"b{n}":[1]}}]' for n in range(10))
    rule = "{%s,%s,%s}" % (fields, branches, ",".join(['"z":[1]'] * 14_000))
    assert len(rule) < 128 << 10
    body = {"rule": rule, "event": {"a": 1}}
    headers = {"x-ultracart-simple-key": server.simple_key}
    answers = attack(server, other, [("POST", "/v1/rules/test", body, headers)] * 8)
    assert statuses(answers) <= {400, 503} and 400 in statuses(answers)


def test_the_doctor_looks_through_large_bodies(server, other):
    made = source(server)
    native(server, "PUT", f"/v1/sources/{made['id']}/verification",
           {"provider": "github", "secrets": ["a-secret-of-some-length"]})
    text = json.dumps([{"a": number} for number in range(200_000)])
    question = {"headers": [{"name": "x-hub-signature-256", "value": "sha256=" + "0" * 64}],
                "body_base64": base64.b64encode(text.encode()).decode()}
    headers = {"x-ultracart-simple-key": server.simple_key}
    path = f"/v1/sources/{made['id']}/doctor"
    answers = attack(server, other, [("POST", path, question, headers)] * 4)
    assert statuses(answers) <= {200, 503} and 200 in statuses(answers)
