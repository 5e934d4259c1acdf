"""Every payload format, verified by the libraries of Standard Webhooks and read by the SDKs of CloudEvents."""

import base64
import contextlib
import json
import pathlib
import subprocess
from urllib.parse import unquote

import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.formats.json import JSONFormat

from harness import wait_until
from test_signatures import native, secret, verify_with_node, verify_with_python

NODE = pathlib.Path(__file__).parent / "node"

# Attributes and text that every format must carry over unharmed.
EVENT = {
    "specversion": "1.0", "id": 'né "1" 100%', "source": "/billing?a=b", "type": "invoice.paid",
    "time": "2026-12-01T08:00:00.5Z", "subject": "inv ü", "tenantkey": "t-1",
    "data": {"invoice": 1, "total": 12.5, "note": "grüß 🎉"},
}


@pytest.fixture(scope="module", autouse=True)
def event_type(server):
    native(server, "POST", "/v1/event-types", {"name": "invoice.paid", "category": "invoice"})


def endpoint(server, receiver, form, **fields):
    """An endpoint with a format; its number."""
    asked = {"url": receiver.url, "format": form, "subscriptions": [{"event_type": "invoice.paid"}]}
    return native(server, "POST", "/v1/endpoints", {**asked, **fields})["id"]


@contextlib.contextmanager
def registered(server, receiver, form, **fields):
    number = endpoint(server, receiver, form, **fields)
    yield number
    native(server, "PATCH", f"/v1/endpoints/{number}", {"disabled": True})


def publish(server, event_id, **attributes):
    event = {**EVENT, "id": event_id, **attributes}
    headers = {"x-ultracart-simple-key": server.simple_key,
               "content-type": "application/cloudevents+json"}
    answer = server.http("POST", "/v1/events", json.dumps(event), headers)
    assert answer.status == 202, answer.body
    return event


def delivered(server, receiver, event_id, **attributes):
    before = len(receiver.deliveries)
    event = publish(server, event_id, **attributes)
    return event, wait_until(lambda: receiver.deliveries[before:], what="the delivery")[0]


def read_with_python(delivery):
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    if "batch" in headers["content-type"]:
        one = {"content-type": "application/cloudevents+json"}
        parts = [json.dumps(part).encode() for part in json.loads(delivery.body)]
        messages = [binding.HTTPMessage(headers=one, body=part) for part in parts]
    else:
        messages = [binding.HTTPMessage(headers=headers, body=delivery.body)]
    events = [binding.from_http_event(message) for message in messages]
    return [json.loads(JSONFormat().write(event)) for event in events]


def read_with_node(delivery):
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    asked = {"headers": headers, "body": base64.b64encode(delivery.body).decode()}
    done = subprocess.run(["node", NODE / "cloudevents.cjs"], input=json.dumps(asked), timeout=30,
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("verify", [verify_with_python, verify_with_node])
@pytest.mark.parametrize("form", ["bundle", "standard", "data", "cloudevents", "cloudevents-batch",
                                  "cloudevents-binary"])
def test_every_format_is_signed_over_what_is_sent(server, receiver, form, verify):
    with registered(server, receiver, form) as number:
        event, delivery = delivered(server, receiver, f"signed-{form}-{verify.__name__}")
        assert verify(secret(server, number), dict(delivery.headers), delivery.body) is not None
    sent = json.loads(delivery.body)
    assert {
        "bundle": {"events": [{"invoice.paid": event["data"]}]},
        "standard": {"type": "invoice.paid", "timestamp": event["time"], "data": event["data"]},
    }.get(form, sent) == sent
    if form != "bundle":
        names = {name.lower() for name in delivery.headers}
        assert not [name for name in names if "ultracart" in name], names
        assert "webhook-attempt-id" in names
    if form in ("standard", "data"):
        assert delivery.headers["webhook-event-type"] == "invoice.paid"


@pytest.mark.parametrize("read", [read_with_python, read_with_node])
@pytest.mark.parametrize("form", ["cloudevents", "cloudevents-batch", "cloudevents-binary"])
def test_the_sdks_of_cloudevents_read_every_attribute(server, receiver, form, read):
    with registered(server, receiver, form):
        event, delivery = delivered(server, receiver, f'né "{form}" 100% {read.__name__}')
    (found,) = read(delivery)
    # SDKs write the same moment in several ways.
    # The npm SDK leaves the percent-encoding of headers to its user.
    raw = form == "cloudevents-binary" and read is read_with_node
    for name in ("id", "source", "type", "subject", "tenantkey"):
        assert (unquote(found[name]) if raw else found[name]) == event[name], name
    assert found["data"] == event["data"]
    assert found["time"].startswith("2026-12-01T08:00:00.5"), found["time"]


def test_data_is_the_published_bytes(server, receiver):
    with registered(server, receiver, "data"):
        before = len(receiver.deliveries)
        body = '{ "a" : 1.50, "b":1e400 }'
        headers = {"x-ultracart-simple-key": server.simple_key, "content-type": "application/json",
                   "ce-specversion": "1.0", "ce-id": "bytes", "ce-source": "/s", "ce-type": "invoice.paid"}
        assert server.http("POST", "/v1/events", body, headers).status == 202
        delivery = wait_until(lambda: receiver.deliveries[before:], what="the delivery")[0]
    assert delivery.body == body.encode()
    assert delivery.headers["content-type"] == "application/json"


def test_the_id_of_an_event_is_the_same_everywhere_and_at_every_try(server, receiver):
    with contextlib.ExitStack() as stack:
        forms = ("standard", "data", "cloudevents", "cloudevents-binary")
        numbers = [stack.enter_context(registered(server, receiver, form)) for form in forms]
        event, _ = delivered(server, receiver, "same-id")
        wait_until(lambda: len(receiver.deliveries) == 4, what="all deliveries")
        known = receiver.deliveries[0].headers["webhook-id"]
        since = native(server, "GET", "/v1/events/same-id")["accepted_at"]
        replayed = {"from": since, "event_types": ["invoice.paid"]}
        native(server, "POST", f"/v1/endpoints/{numbers[0]}/replays", replayed)
        ids = lambda: [delivery.headers["webhook-id"] for delivery in receiver.deliveries]
        wait_until(lambda: len(ids()) == 5, what="the replay")
    assert set(ids()) == {known}


def test_a_retry_keeps_the_id_and_gets_another_attempt(server, receiver):
    with type(receiver)(script=[500]) as failing:
        with registered(server, failing, "standard"):
            publish(server, "retried")
            wait_until(lambda: len(failing.deliveries) == 2, what="the second try", seconds=20)
    first, second = failing.deliveries
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-attempt-id"] != second.headers["webhook-attempt-id"]
    assert first.body == second.body


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_method_is_the_owner_s_choice(server, receiver, method):
    with registered(server, receiver, "standard", method=method) as number:
        _, delivery = delivered(server, receiver, f"method-{method}")
        assert delivery.method == method
        shown = native(server, "GET", f"/v1/endpoints/{number}")
        assert (shown["method"], shown["timeout_seconds"]) == (method, 30)


def test_a_receiver_gets_the_time_that_its_endpoint_says(server, receiver):
    with type(receiver)(script=[3.0]) as slow:
        with registered(server, slow, "data", timeout_seconds=1) as number:
            publish(server, "slow")
            attempts = lambda: native(server, "GET", f"/v1/endpoints/{number}/attempts")["attempts"]
            attempt = wait_until(attempts, what="the attempt")[-1]
    assert attempt["error"] == "there was no answer within 1 s", attempt


def test_the_log_shows_what_was_sent(server, receiver):
    for form in ("standard", "cloudevents", "cloudevents-binary"):
        with registered(server, receiver, form) as number:
            _, delivery = delivered(server, receiver, f"logged-{form}")
            attempts = lambda: native(server, "GET", f"/v1/endpoints/{number}/attempts")["attempts"]
            attempt = wait_until(attempts, what="the attempt")[0]
            shown = native(server, "GET", f"/v1/endpoints/{number}/attempts/{attempt['request_id']}")
            assert shown["request"] == delivery.body.decode(), form
            assert delivery.headers["webhook-attempt-id"] == attempt["request_id"]


@pytest.mark.parametrize("fields, field", [
    ({"format": "standard", "compress_events": True}, "format"),
    ({"format": "xml"}, "format"),
    ({"method": "GET"}, "method"),
    ({"timeout_seconds": 0}, "timeout_seconds"),
    ({"timeout_seconds": 61}, "timeout_seconds"),
])
def test_settings_that_make_no_sense_are_refused(server, receiver, fields, field):
    answer = server.http("POST", "/v1/endpoints", {"url": receiver.url, **fields}, server.pair)
    assert answer.status == 400, answer.body
    assert answer.json["field"] == field, answer.json
