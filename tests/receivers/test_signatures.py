"""Deliveries of the real binary, verified by the libraries of Standard Webhooks, Python's and npm's."""

import base64
import json
import pathlib
import subprocess

import pytest
import standardwebhooks

from harness import wait_until

NODE = pathlib.Path(__file__).parent / "node"


class Refused(Exception):
    """The library finds no signature of the secret's."""


class Unreadable(Exception):
    """The signature is good; the body is not the JSON that the library expects."""


def verify_with_python(secret, headers, body):
    try:
        return standardwebhooks.Webhook(secret).verify(body, headers)
    except standardwebhooks.WebhookVerificationError as error:
        raise Refused from error
    except json.JSONDecodeError as error:
        raise Unreadable from error


def verify_with_node(secret, headers, body):
    asked = {"secret": secret, "headers": headers, "body": base64.b64encode(body).decode()}
    command = ["node", NODE / "verify.cjs"]
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=30, check=True
    )
    answer = json.loads(done.stdout)
    if answer.get("error") == "WebhookVerificationError":
        raise Refused
    if answer.get("error") == "SyntaxError":
        raise Unreadable
    return answer["payload"]


@pytest.fixture(params=[verify_with_python, verify_with_node], ids=["python", "node"])
def verify(request):
    def verify(secret, delivery, body=None):
        body = delivery.body if body is None else body
        return request.param(secret, dict(delivery.headers), body)

    return verify


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


def next_delivery(server, receiver, oid):
    before = len(receiver.deliveries)
    server.publish("order_create", {"order_id": f"é-{oid}"}, f"of-{oid}")
    return wait_until(lambda: receiver.deliveries[before:], what="the delivery")[0]


def test_the_library_takes_deliveries_and_finds_changes(server, receiver, verify):
    oid = register(server, receiver.url)
    delivery = next_delivery(server, receiver, oid)
    known = secret(server, oid)
    assert verify(known, delivery) == json.loads(delivery.body)
    with pytest.raises(Refused):
        verify(known, delivery, delivery.body.replace(b"order_id", b"order_if"))
    with pytest.raises(Refused):
        verify("whsec_" + "A" * 44, delivery)


def test_both_secrets_sign_after_a_rotation(server, receiver, verify):
    oid = register(server, receiver.url)
    old = secret(server, oid)
    native(server, "POST", f"/v1/endpoints/{oid}/secret/rotate", {})
    new = secret(server, oid)
    assert new != old
    delivery = next_delivery(server, receiver, oid)
    assert len(delivery.headers["webhook-signature"].split()) == 2
    assert verify(old, delivery) == verify(new, delivery) == json.loads(delivery.body)


def test_a_rotation_to_ed25519_leaves_hmac_receivers_working(server, receiver, verify):
    oid = register(server, receiver.url)
    old = secret(server, oid)
    native(server, "POST", f"/v1/endpoints/{oid}/secret/rotate", {"kind": "ed25519"})
    delivery = next_delivery(server, receiver, oid)
    schemes = {text.split(",")[0] for text in delivery.headers["webhook-signature"].split()}
    assert schemes == {"v1", "v1a"}
    assert verify(old, delivery) == json.loads(delivery.body)
    with pytest.raises(Refused):
        verify(old, delivery, delivery.body + b" ")


def test_what_is_signed_is_what_was_sent(server, receiver, verify):
    oid = register(server, receiver.url, compress_events=True)
    delivery = next_delivery(server, receiver, oid)
    known = secret(server, oid)
    # The library verifies, then fails to read base64 as JSON.
    with pytest.raises(Unreadable):
        verify(known, delivery)
    with pytest.raises(Refused):
        verify(known, delivery, b"H4sI")
