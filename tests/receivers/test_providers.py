"""Deliveries to the real binary, signed by the providers' own libraries."""

import base64
import json
import pathlib
import subprocess
import sys
import time

import pytest
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks import Webhook
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator

from harness import ROOT, Server

PUBLIC_URL = "https://hooks.example.com/in"
BODY = json.dumps({"id": "evt_1", "name": "Zoë", "total": 1.5}, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that knows its public URL."""
    server = Server(tmp_path_factory.mktemp("server"), f"--public-url={PUBLIC_URL}/").start()
    yield server
    assert server.stop() == 0, "the server did not drain well"


def native(server, method, path, body=None):
    answer = server.http(method, path, body, {
        "x-ultracart-simple-key": server.simple_key,
        **({"Content-Type": "application/json"} if body is not None else {}),
    })
    assert 200 <= answer.status < 300, answer.body
    return answer.json if answer.body else None


def source(server, provider, secret, **more):
    """A source that goes by a provider's scheme."""
    made = native(server, "POST", "/v1/sources", json.dumps({"mode": "combine"}))
    setting = {"provider": provider, "secrets": [secret], **more}
    native(server, "PUT", f"/v1/sources/{made['id']}/verification", json.dumps(setting))
    return made


def doctor(server, made, headers, body, **more):
    question = {
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "body_base64": base64.b64encode(body).decode(),
        **more,
    }
    return native(server, "POST", f"/v1/sources/{made['id']}/doctor", json.dumps(question))


def check(server, made, headers, body, path=None):
    """A right delivery is taken, one with a changed body is not, and the doctor agrees."""
    path = path or made["path"]
    assert server.http("POST", path, body, headers).status == 201
    changed = body.replace(b"evt_1", b"evt_2")
    refused = server.http("POST", path, changed, headers)
    assert (refused.status, refused.header("www-authenticate")) == (401, ["Bearer"])
    url = f"{PUBLIC_URL}{path}"
    assert doctor(server, made, headers, body, url=url)["verified"]
    found = doctor(server, made, headers, changed, url=url)
    assert (found["verified"], found["cause"]) == (False, "wrong_secret"), found
    return url


def test_stripe(server):
    made = source(server, "stripe", "whsec_test")
    sign = getattr(WebhookSignature, "_compute_signature")
    now = int(time.time())
    payload = f"{now}.{BODY.decode()}"
    headers = {"Stripe-Signature": f"t={now},v1={sign(payload, 'whsec_test')}"}
    check(server, made, headers, BODY)
    spaced = json.dumps(json.loads(BODY), indent=2, ensure_ascii=False).encode()
    found = doctor(server, made, headers, spaced)
    assert (found["cause"], found["certain"]) == ("body_changed", True), found
    old = now - 1000
    stale = {"Stripe-Signature": f"t={old},v1={sign(f'{old}.{BODY.decode()}', 'whsec_test')}"}
    assert server.http("POST", made["path"], BODY, stale).status == 401
    found = doctor(server, made, stale, BODY)
    assert found["cause"] == "stale_timestamp" and -1100 < found["skew_seconds"] < -900, found


def test_slack_with_its_handshake(server):
    made = source(server, "slack", "8f742231b10e8888")
    verifier = SignatureVerifier("8f742231b10e8888", Clock())

    def sign(body):
        now = str(int(time.time()))
        signature = verifier.generate_signature(timestamp=now, body=body)
        return {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": signature}

    check(server, made, sign(BODY), BODY)
    asked = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"}).encode()
    answer = server.http("POST", made["path"], asked, sign(asked))
    assert (answer.status, answer.body) == (200, b"3eZbrw1aB")
    assert server.http("POST", made["path"], asked).status == 401


def test_standard_webhooks(server):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = source(server, "standard-webhooks", secret)
    import datetime
    now = datetime.datetime.now(datetime.UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, BODY.decode()),
    }
    check(server, made, headers, BODY)


def test_twilio_signs_the_public_url(server):
    made = source(server, "twilio", "12345")
    validator = RequestValidator("12345")
    path = f"{made['path']}?foo=1&bar=a%20b"
    form = {"CallSid": "evt_1", "Name": "Zoe & Co", "Digits": "1234"}
    body = b"CallSid=evt_1&Name=Zoe+%26+Co&Digits=1234"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    right = validator.compute_signature(PUBLIC_URL + path, form)
    check(server, made, {**kind, "X-Twilio-Signature": right}, body, path)
    # Signed for the address that the proxy calls.
    inner = validator.compute_signature("http://hooks.example.com/in" + path, form)
    headers = {**kind, "X-Twilio-Signature": inner}
    assert server.http("POST", path, body, headers).status == 401
    found = doctor(server, made, headers, body, url=PUBLIC_URL + path)
    assert (found["cause"], found["certain"]) == ("wrong_url", True), found


def test_the_vectors_are_what_their_program_makes():
    script = ROOT / "crates/core/tests/vectors/make.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_secrets_are_not_on_disk_in_clear(server):
    source(server, "github", "a secret that nobody shall find on the disk")
    files = [file for file in pathlib.Path(server.data).rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert b"nobody shall find" not in file.read_bytes(), file
