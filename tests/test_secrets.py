"""Canaries in every place that takes a secret, and a search for them wherever they must not be: the
log at its most talkative, every file, every answer that does not have to show them."""

import base64
import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from harness import Receiver, Server, wait_until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def canary(name):
    """A secret that is found wherever it goes."""
    return f"canary-{name}-5f1c9e"


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path, "--log-level", "trace", "--log-format", "json").start()
    yield server
    assert server.stop() == 0


def key(server):
    return {"x-ultracart-simple-key": server.simple_key}


def endpoint(server, url, **fields):
    body = {"url": url, "subscriptions": [{"event_type": "order_create"}], **fields}
    answer = server.http("POST", "/v1/endpoints", body, key(server))
    assert answer.status == 201, answer.body
    return answer.json["id"]


def endpoints(server, url):
    """Endpoints with a canary in each field that takes a secret; their canaries."""
    made = {
        "basic": {"auth": {"kind": "basic", "username": "u", "password": canary("password")}},
        "bearer": {"auth": {"kind": "bearer", "token": canary("bearer")}},
        "oauth2": {"auth": {"kind": "oauth2", "token_url": url, "client_id": "c",
                            "client_secret": canary("client")}},
        "iam": {"auth": {"kind": "aws_iam", "access_key": "A", "secret_key": canary("iam")}},
        "header": {"headers": [{"name": "x-token", "value": canary("header")}]},
        "signing": {"signing": {"secret": "whsec_" + base64.b64encode(
            canary("signing").encode() + b"0" * 8).decode()}},
    }
    for fields in made.values():
        endpoint(server, url, **fields)
    signing = made["signing"]["signing"]["secret"]
    names = ("password", "bearer", "client", "iam", "header", "signing")
    return [canary(name) for name in names] + [signing, signing.removeprefix("whsec_")]


def let_in(server):
    """An application that went through everything; what only it may know."""
    back = "http://127.0.0.1:1/cb"
    body = {"name": "A", "redirect_uris": [back], "scopes": ["webhook_read"]}
    client = server.http("POST", "/v1/applications", body, key(server)).json["client_id"]
    asked = {"client_id": client, "response_type": "code", "redirect_uri": back, "state": "s"}
    wrong = {**asked, "credential": canary("typed")}
    page = server.http("POST", "/rest/v2/oauth/authorize", urlencode(wrong), FORM)
    assert page.status == 401 and canary("typed").encode() not in page.body
    right = {**asked, "credential": server.simple_key}
    page = server.http("POST", "/rest/v2/oauth/authorize", urlencode(right), FORM)
    code = parse_qs(urlsplit(page.header("location")[0]).query)["code"][0]
    secrets, grant = [canary("typed"), code], {"grant_type": "authorization_code", "code": code,
                                               "redirect_uri": back}
    for _ in range(2):
        answer = server.http("POST", "/rest/v2/oauth/token",
                             urlencode({"client_id": client, **grant}), FORM)
        assert answer.status == 200, answer.body
        tokens = answer.json
        secrets += [tokens["access_token"], tokens["refresh_token"]]
        grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert server.http("GET", "/rest/v2/webhook/webhooks", headers=bearer).status == 200
    return secrets


def answers(server):
    """Every native answer that lists or shows what was made, as one text."""
    shown, seen = ["/v1/endpoints", "/v1/sources", "/v1/applications", "/v1/events"], []
    while shown:
        path = shown.pop()
        answer = server.http("GET", path, headers=key(server))
        assert answer.status == 200, path
        seen.append(answer.body.decode())
        for name in ("endpoints", "sources", "applications"):
            for one in answer.json.get(name, []) if "/" not in path[4:] else []:
                shown.append(f"/v1/{name}/{one['id']}")
                if name == "endpoints":
                    shown.append(f"/v1/endpoints/{one['id']}/attempts")
                if name == "applications":
                    shown.append(f"/v1/applications/{one['id']}/grants")
        for attempt in answer.json.get("attempts", []):
            shown.append(f"{path}/{attempt['request_id']}")
    return "\n".join(seen)


def refusals(server):
    """Answers that say no to requests with a canary in them; the canary."""
    secret = canary("refused")
    for method, path, body in [
        ("POST", "/v1/endpoints", {"url": "x", "auth": {"kind": "bearer", "token": secret}}),
        ("POST", "/v1/endpoints", {"url": "https://x.test/", "auth": {"kind": "basic",
                                   "username": "a:b", "password": secret}}),
        ("POST", "/rest/v2/webhook/webhooks", {"webhook_url": "x", "basic_password": secret}),
        ("POST", "/v1/sources", {"secret": secret, "secure": False}),
    ]:
        answer = server.http(method, path, body, key(server))
        assert answer.status == 400, (path, answer.body)
        assert secret.encode() not in answer.body, (path, answer.body)
        assert not any(secret in value for _, value in answer.headers), path
    for headers in ({"x-ultracart-simple-key": secret}, {"Authorization": f"Bearer {secret}"},
                    {"X-API-KEY": secret, "X-API-SECRET": secret}):
        answer = server.http("GET", "/v1/endpoints", headers=headers)
        assert answer.status == 401 and secret.encode() not in answer.body
    return secret


def forms(secret):
    """A secret as it could be written down."""
    raw = secret.encode()
    return {raw, base64.b64encode(raw), raw.hex().encode(), json.dumps(secret).encode()}


@pytest.mark.embedded("it searches the directory's files")
def test_no_secret_is_found_where_it_must_not_be(server, tmp_path):
    with Receiver(script=[500]) as receiver:
        secrets = endpoints(server, receiver.url)
        made = server.http("POST", "/v1/sources", {"secret": canary("source")}, key(server))
        assert made.status == 201, made.body
        source_key = made.json["path"].rsplit("/", 1)[1]
        url = f"{made.json['path']}?{urlencode({'secret': canary('source')})}"
        server.http("POST", url, '{"a":1}', {"Content-Type": "application/json"})
        secrets += let_in(server)
        server.publish("order_create", {"order_id": "D-1"}, "e1")
        wait_until(lambda: len(receiver.deliveries) >= 4, what="deliveries with credentials")
        sent = b"".join(str(one.headers).encode() for one in receiver.deliveries)
        assert canary("bearer").encode() in sent and canary("header").encode() in sent
        secrets += [canary("source"), refusals(server)]
        shown = answers(server)
    assert server.stop() == 0
    own = [server.simple_key, server.credentials["api_secret"]]
    log = (tmp_path / "server.log").read_bytes()
    assert b'"level":"INFO"' in log, "there is a log to look into"
    files = {path: path.read_bytes() for path in server.data.rglob("*") if path.is_file()}
    # The search would find what is there.
    assert "x-token" in shown and any(b"x-token" in content for content in files.values())
    for secret in secrets + own:
        for form in forms(secret):
            assert form not in log, f"{secret} is in the log"
            assert form.decode() not in shown, f"{secret} is in an answer"
            for path, content in files.items():
                assert form not in content, f"{secret} is in {path.name}"
    # A source's key is part of its URL, which its owner reads; it is nowhere else.
    for form in forms(source_key):
        assert form not in log and not any(form in content for content in files.values())
    server.start()


def test_lines_of_requests_say_who_and_from_where(server):
    server.http("GET", "/v1/endpoints", headers=key(server))
    server.http("GET", "/v1/endpoints", headers={"x-ultracart-simple-key": canary("wrong")})
    server.http("GET", "/rest/v2/webhook/webhooks")

    def lines():
        log = (server.directory / "server.log").read_text().splitlines()
        found = [json.loads(line) for line in log if line.startswith("{")]
        of = {"request": [], "a credential was refused": []}
        for line in found:
            fields = line.get("fields", line)
            if fields.get("message") in of:
                of[fields["message"]].append(fields)
        return of["request"], of["a credential was refused"]

    wait_until(lambda: len(lines()[0]) >= 3)
    requests, refused = lines()
    good, wrong, none = requests[-3:]
    assert (good["address"], good["credential"], good["status"]) == ("127.0.0.1", 1, 200)
    assert (wrong["address"], wrong["status"]) == ("127.0.0.1", 401) and "credential" not in wrong
    assert (none["address"], none["status"]) == ("127.0.0.1", 401) and "credential" not in none
    assert len(refused) == 1 and refused[0]["address"] == "127.0.0.1", refused
    assert refused[0]["reason"] == "the credential is not valid"
    assert refused[0]["request_id"] == wrong["request_id"]
