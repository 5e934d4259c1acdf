"""Deliveries of the real binary to a receiver whose answers are scripted."""

import base64
import gzip
import json
import signal

import pytest

from harness import Receiver, Server, wait_until

HOOKS = "/webhook/webhooks"


def register(server, url, *events, **fields):
    """Registers an endpoint; its number."""
    subscriptions = [event if isinstance(event, dict) else {"event_name": event} for event in events]
    body = {"webhook_url": url, "event_categories": [{"events": subscriptions}], **fields}
    answer = server.ultracart("POST", HOOKS, body)
    assert answer.status == 200, answer.body
    return answer.json["webhook"]["webhook_oid"]


def state(server, oid):
    hooks = server.ultracart("GET", HOOKS + "?_limit=200").json["webhooks"]
    return next(hook for hook in hooks if hook["webhook_oid"] == oid)


def logs(server, oid):
    """The log rows with all their fields, oldest first."""
    path = f"{HOOKS}/{oid}/logs"
    rows = server.ultracart("GET", path + "?_limit=200").json["webhook_log_summaries"]
    return [server.ultracart("GET", f"{path}/{row['request_id']}").json["webhook_log"]
            for row in reversed(rows)]


def numbers(receiver, kind="order_create"):
    return [event[kind]["n"] for event in receiver.events()]


def test_42_bundles_are_bounded_and_in_order(server):
    with Receiver(script=[0.5]) as receiver:
        oid = register(server, receiver.url, "order_create", maximum_events=10)
        server.publish("order_create", {"n": 0}, "first")
        wait_until(lambda: receiver.deliveries, what="the first delivery")
        server.publish_all([("order_create", {"n": n}, f"b{n}") for n in range(1, 26)])
        assert state(server, oid)["pending"] == 26
        wait_until(lambda: len(receiver.events()) == 26, what="all deliveries")
        assert [len(delivery.events) for delivery in receiver.deliveries] == [1, 10, 10, 5]
        assert numbers(receiver) == list(range(26))
        assert wait_until(lambda: state(server, oid)["pending"] == 0)
        head = receiver.deliveries[0].headers
        assert head["Content-Type"] == "application/json; charset=UTF-8"
        assert "Authorization" not in head and head["User-Agent"].startswith("Hookyard/")
        assert head["X-UltraCart-Request-Id"] == logs(server, oid)[0]["request_id"]


def test_42_failures_are_counted_and_retried_and_a_timeout_has_no_status(server):
    with Receiver(script=[500, 500]) as failing, Receiver(script=[31.0]) as silent, \
            Receiver() as other:
        waits = register(server, silent.url, "order_update")
        fails = register(server, failing.url, "order_update")
        works = register(server, other.url, "order_update")
        server.publish("order_update", {"n": 1}, "f1")
        seen = wait_until(lambda: (s := state(server, fails)).get("consecutive_failures") == 1 and s,
                          what="the first failure")
        assert seen["next_retry_after"] and seen["pending"] == 1
        wait_until(lambda: state(server, fails).get("consecutive_failures") == 2, 10,
                   "the second failure")
        server.publish("order_update", {"n": 2}, "f2")
        # Endpoints that fail or wait do not hold others.
        wait_until(lambda: numbers(other, "order_update") == [1, 2], what="the healthy endpoint")
        wait_until(lambda: state(server, fails)["pending"] == 0, 20, "the recovery")
        after = state(server, fails)
        assert after.get("consecutive_failures", 0) == 0 and "next_retry_after" not in after
        assert numbers(failing, "order_update")[:3] == [1, 1, 1]
        assert numbers(failing, "order_update")[-1] == 2
        rows = logs(server, fails)
        assert [row["success"] for row in rows[:3]] == [False, False, True]
        assert len({row["request_id"] for row in rows}) == len(rows)
        gaps = [b.at - a.at for a, b in zip(failing.deliveries, failing.deliveries[1:])]
        assert 2 <= gaps[0] <= 6 and 4 <= gaps[1] <= 11, gaps
        assert len(logs(server, works)) >= 1

        [row] = wait_until(lambda: logs(server, waits), 40, "the timeout")
        assert not row["success"] and "status_code" not in row and "response" not in row
        assert 29_000 <= row["duration"] <= 32_000


def test_redirects_and_refusals_are_failures(server):
    with Receiver() as beyond, Receiver(script=[302], headers={"Location": beyond.url}) as moved:
        gone = "http://127.0.0.1:9/nobody"
        first = register(server, moved.url, "user_login")
        second = register(server, gone, "user_login")
        server.publish("user_login", {"n": 1}, "r1")
        [row] = wait_until(lambda: logs(server, first), what="the redirect")
        assert (row["success"], row["status_code"]) == (False, 302)
        [row] = wait_until(lambda: logs(server, second), what="the refusal")
        assert not row["success"] and "status_code" not in row
        assert not beyond.deliveries


def test_retry_after_is_obeyed(server):
    with Receiver(script=[503], headers={"Retry-After": "1"}) as receiver:
        register(server, receiver.url, "user_create")
        server.publish("user_create", {"n": 1}, "ra")
        wait_until(lambda: len(receiver.deliveries) == 2, 12, "the retry")
        first, second = receiver.deliveries
        assert second.at - first.at >= 0.95


def test_43_compressed_bundles(server, receiver):
    register(server, receiver.url, "order_ship", compress_events=True)
    server.publish("order_ship", {"order_id": "DEMO-1", "text": "ü" * 100}, "z1")
    wait_until(lambda: receiver.deliveries, what="the delivery")
    body = receiver.deliveries[0].body
    assert body.startswith(b"H4sI")
    assert json.loads(gzip.decompress(base64.b64decode(body)))["events"] == [
        {"order_ship": {"order_id": "DEMO-1", "text": "ü" * 100}}]


def test_expansions_decide_what_is_sent(server):
    order = {"order_id": "DEMO-5", "summary": {"total": 1.50}, "item": [{"sku": "a"}],
             "billing": {"city": "x"}}
    with Receiver() as bare, Receiver() as wide:
        register(server, bare.url, "order_refund")
        register(server, wide.url, {"event_name": "order_refund", "expansion": "item,summary"})
        server.publish("order_refund", order, "x1")
        wait_until(lambda: bare.deliveries and wide.deliveries, what="both deliveries")
        assert bare.events() == [{"order_refund": {"order_id": "DEMO-5"}}]
        assert set(wide.events()[0]["order_refund"]) == {"order_id", "summary", "item"}
        assert b"1.50" in wide.deliveries[0].body or b"1.5" in wide.deliveries[0].body


def test_a_disabled_endpoint_keeps_its_queue(server):
    with Receiver(script=[500]) as receiver:
        oid = register(server, receiver.url, "customer_update")
        server.publish("customer_update", {"n": 1}, "d1")
        wait_until(lambda: state(server, oid).get("consecutive_failures") == 1, what="the failure")
        server.ultracart("PUT", f"{HOOKS}/{oid}", {"disabled": True})
        server.publish("customer_update", {"n": 2}, "d2")
        assert state(server, oid)["pending"] == 1
        server.ultracart("PUT", f"{HOOKS}/{oid}", {"disabled": False})
        wait_until(lambda: len(receiver.deliveries) == 2, what="the kept event")
        assert numbers(receiver, "customer_update") == [1, 1]


def test_repeated_publishes_are_delivered_once(server, receiver):
    register(server, receiver.url, "chargeback_create")
    first = server.publish("chargeback_create", {"n": 1}, "same")
    again = server.publish("chargeback_create", {"n": 1}, "same")
    assert (first["matched"], first["duplicate"], again["duplicate"]) == (1, False, True)
    assert again["seq"] == first["seq"]
    server.publish("chargeback_create", {"n": 2}, "other")
    wait_until(lambda: len(receiver.events()) == 2, what="both events")
    assert numbers(receiver, "chargeback_create") == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_delivers_what_was_left(tmp_path, number):
    server = Server(tmp_path).start()
    with Receiver(script=[500]) as receiver:
        oid = register(server, receiver.url, "order_create", maximum_events=10)
        server.publish_all([("order_create", {"n": n}, f"k{n}") for n in range(30)])
        wait_until(lambda: state(server, oid).get("consecutive_failures") == 1, what="the failure")
        server.stop(number)
        server.start()
        wait_until(lambda: len(set(numbers(receiver))) == 30, 20, "the rest")
        assert numbers(receiver)[10:] == list(range(30))
        wait_until(lambda: state(server, oid)["pending"] == 0)
    assert server.stop() == 0


def test_private_addresses_are_refused_unless_allowed(tmp_path, receiver):
    server = Server(tmp_path, ranges=()).start()
    body = {"webhook_url": receiver.url, "event_categories": [{"events": [
        {"event_name": "item_update"}]}]}
    refused = server.ultracart("POST", HOOKS, body)
    assert refused.status == 400
    assert server.stop() == 0
