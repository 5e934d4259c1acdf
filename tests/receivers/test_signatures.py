"""Deliveries of the real binary, verified by the library of Standard Webhooks."""

import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from harness import wait_until


def native(server, method, path, body=None):
    answer = server.http(method, path, body, {"x-ultracart-simple-key": server.simple_key})
    assert answer.status in (200, 201), answer.body
    return answer.json


def register(server, url, **fields):
    """Registers an endpoint through the UltraCart API; its number."""
    events = [{"events": [{"event_name": "order_create"}]}]
    body = {"webhook_url": url, "event_categories": events, **fields}
    answer = server.ultracart("POST", "/webhook/webhooks", body)
    assert answer.status == 200, answer.body
    assert "whsec_" not in answer.body.decode(), "the UltraCart API does not show it"
    return answer.json["webhook"]["webhook_oid"]


def secret(server, oid):
    return native(server, "GET", f"/v1/endpoints/{oid}/secret")["keys"][0]["secret"]


def next_delivery(server, receiver, id):
    before = len(receiver.deliveries)
    server.publish("order_create", {"order_id": f"é-{id}"}, id)
    return wait_until(lambda: receiver.deliveries[before:], what="the delivery")[0]


def verify(secret, delivery, body=None):
    return Webhook(secret).verify(delivery.body if body is None else body, dict(delivery.headers))


def test_the_library_takes_deliveries_and_finds_changes(server, receiver):
    oid = register(server, receiver.url)
    delivery = next_delivery(server, receiver, "s1")
    known = secret(server, oid)
    assert verify(known, delivery) == json.loads(delivery.body)
    with pytest.raises(WebhookVerificationError):
        verify(known, delivery, delivery.body.replace(b"s1", b"s2"))
    with pytest.raises(WebhookVerificationError):
        verify("whsec_" + "A" * 44, delivery)


def test_both_secrets_sign_after_a_rotation(server, receiver):
    oid = register(server, receiver.url)
    old = secret(server, oid)
    native(server, "POST", f"/v1/endpoints/{oid}/secret/rotate", {})
    new = secret(server, oid)
    assert new != old
    delivery = next_delivery(server, receiver, "r1")
    assert len(delivery.headers["webhook-signature"].split()) == 2
    verify(old, delivery)
    verify(new, delivery)


def test_what_is_signed_is_what_was_sent(server, receiver):
    oid = register(server, receiver.url, compress_events=True)
    delivery = next_delivery(server, receiver, "c1")
    known = secret(server, oid)
    # The library verifies, then fails to read base64 as JSON.
    with pytest.raises(json.JSONDecodeError):
        verify(known, delivery)
    with pytest.raises(WebhookVerificationError):
        verify(known, delivery, b"H4sI")
