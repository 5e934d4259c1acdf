"""The Mammoth API over plain HTTP: what clients of other makes send, and senders that have no client."""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import quote

import pytest

JSON = {"Content-Type": "application/json"}
HOOKS = "/workspaces/1/projects/1/webhooks"


@pytest.fixture
def api(server):
    """Calls with the key pair; `(status, JSON)`."""
    def call(method, path, body=None, headers=None):
        if isinstance(body, str):
            headers = {**JSON, **(headers or {})}
        answer = server.http(method, path, body, {**server.pair, **(headers or {})})
        return answer.status, answer.json if answer.body else None

    return call


@pytest.fixture
def hook(api):
    """A new webhook."""
    def make(**fields):
        status, made = api("POST", HOOKS, fields)
        assert status == 201, made
        return made["webhook"]

    return make


def data_path(hook):
    return "/webhooks/data/" + hook["uri"].rsplit("/", 1)[-1]


def cells(api, hook):
    status, rows = api("GET", f"/workspaces/1/projects/1/datasets/{hook['ds_id']}/data")
    assert status == 200, rows
    return [row[0] for _, row in sorted(rows["data"].items(), key=lambda row: int(row[0]))]


def assert_error(answer, status):
    found, body = answer
    assert found == body["status_code"] == status and isinstance(body["detail"], str), answer


def test_examples_of_the_published_schema_are_unwrapped(hook):
    made = hook(name={"value": "wrapped"}, mode={"value": "combine"}, origins='{"value":"*"}',
                folder_resource_id="label_1363", is_secure=True)
    assert (made["name"], made["mode"], made["origins"]) == ("wrapped", "combine", "*")
    assert len(made["secret"]) >= 12 and made["uri"].rsplit("/", 1)[-1].isalnum()
    plain = hook()
    assert (plain["name"], plain["mode"]) == ("Generic Webhook", "replace")
    assert plain["secret"] is None


@pytest.mark.parametrize("body", [{"mode": "append"}, {"is_secure": "yes"}, {"name": 5}, [], "{bad"])
def test_wrong_webhooks_are_refused(api, body):
    assert_error(api("POST", HOOKS, body), 400)


@pytest.mark.parametrize("query", ["limit=101", "limit=x", "offset=-1", "id=a", "mode=append", "sort=id"])
def test_wrong_lists_are_refused(api, query):
    assert_error(api("GET", f"{HOOKS}?{query}"), 400)


def test_lists_are_filtered_sorted_and_paged(api, hook):
    mine = [hook(name=f"page {letter}", mode="combine") for letter in "bca"]
    ids = ",".join(str(made["id"]) for made in mine)
    sort = quote("(name:desc),(id:asc)")
    status, first = api("GET", f"{HOOKS}?id={ids},999999&mode=combine&sort={sort}&limit=2")
    assert status == 200 and [made["name"] for made in first["webhooks"]] == ["page c", "page b"]
    status, rest = api("GET", first["next"])
    assert [made["name"] for made in rest["webhooks"]] == ["page a"] and rest["next"] == ""
    chosen = f"{HOOKS}?id={ids}&name=page%20a,page%20b&ds_id={mine[0]['ds_id']}"
    assert [made["name"] for made in api("GET", chosen)[1]["webhooks"]] == ["page b"]
    everything = f"{HOOKS}?fields=__standard&id=&name=&ds_id=&mode=&limit=50&offset=0"
    assert len(api("GET", everything)[1]["webhooks"]) >= 3
    assert api("GET", f"{HOOKS}?limit=0")[1]["webhooks"] == []
    one = f"{HOOKS}/{mine[0]['id']}"
    few = api("GET", f"{one}?fields=id%2Cname")[1]["webhook"]
    assert set(few) == {"id", "name", "mode", "uri", "ds_id"}
    assert {"origins", "secret"} <= set(api("GET", one)[1]["webhook"])


def test_a_patch_is_applied_whole_or_not_at_all(api, hook):
    made = hook(mode="replace")

    def patch(*operations):
        return api("PATCH", f"{HOOKS}/{made['id']}", {"patch": [
            {"op": "replace", "path": path, "value": value} for path, value in operations]})

    first = patch(("mode", "combine"), ("origins", "https://a.example"), ("is_secure", True))[1]
    secret = first["webhook"]["secret"]
    assert secret and first["webhook"]["mode"] == "combine"
    assert patch(("is_secure", True))[1]["webhook"]["secret"] == secret
    assert patch(("is_secure", False))[1]["webhook"]["secret"] is None
    assert patch(("is_secure", True))[1]["webhook"]["secret"] not in (None, secret)
    assert_error(patch(("mode", "replace"), ("name", "x")), 400)
    assert patch()[1]["webhook"]["mode"] == "combine"


def test_who_may_not_and_where_nothing_is(server, api, hook):
    made = hook()
    for headers in ({}, {**server.pair, "X-API-SECRET": "x"}):
        answer = server.http("GET", HOOKS, headers=headers)
        assert_error((answer.status, answer.json), 401)
    assert_error(api("GET", f"{HOOKS}/999999"), 404)
    assert_error(api("GET", "/workspaces/0/projects/1/webhooks"), 400)
    put = server.http("PUT", f"{HOOKS}/{made['id']}", {}, server.pair)
    assert put.status == 405 and "PATCH" in put.header("allow")[0]
    assert server.http("GET", HOOKS + "/", headers=server.pair).status == 200
    assert server.http("GET", "/api/v2" + HOOKS, headers=server.pair).status == 200
    assert_error(api("POST", "/webhooks/data/" + "A" * 24, "{}"), 404)
    assert server.http("DELETE", data_path(made)).status == 405


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DELIVERIES = [
    ("POST", "", '{"a": 1.0, "u": "\\u00e9"}', JSON, '{"a": 1.0, "u": "\\u00e9"}'),
    ("POST", "", '[{"a":1},{"a":2}]', JSON, '[{"a":1},{"a":2}]'),
    ("POST", "", "a=1&a=2&b=x+y&init%5Bt%5D=3", FORM,
     '{"a":["1","2"],"b":"x y","init[t]":"3"}'),
    ("GET", "?col=val+1&l=1&l=2", None, {}, '{"col":"val 1","l":["1","2"]}'),
    ("POST", "", "hello", {"Content-Type": "text/plain"}, '"hello"'),
]


def test_each_kind_of_delivery_is_one_row(server, api, hook):
    made = hook(mode="combine")
    for method, query, body, headers, _ in DELIVERIES:
        answer = server.http(method, data_path(made) + query, body, headers)
        assert answer.status == (201 if method == "POST" else 200), answer.body
        assert answer.json == {"status": "ok", "rows": 1}
    for method in ("POST", "GET"):
        assert server.http(method, data_path(made), "" if method == "POST" else None).json["rows"] == 0
    bad = server.http("POST", data_path(made), "{bad", JSON)
    assert_error((bad.status, bad.json), 400)
    assert cells(api, made) == [cell for *_, cell in DELIVERIES]


@pytest.mark.parametrize("alias", ["/webhook/data/", "/api/v2/webhook/data/", "/api/v1/webhook/data/",
                                   "/api/v2/webhooks/data/webhook/data/", "/webhooks/data//webhook/data/"])
def test_every_spelling_of_the_path_leads_to_the_source(server, hook, alias):
    key = hook()["uri"].rsplit("/", 1)[-1]
    for end in ("", "/"):
        assert server.http("POST", alias + key + end, "1", JSON).status == 201


def test_replacing_leaves_one_row_and_nothing_wipes_it(server, api, hook):
    made = hook(mode="replace")
    for number in (1, 2):
        server.http("POST", data_path(made), f'{{"z":{number}}}', JSON)
    server.http("POST", data_path(made), "")
    assert cells(api, made) == ['{"z":2}']


def test_browsers_of_other_origins_store_nothing(server, api, hook):
    made = hook(mode="combine", origins="https://a.example, https://*.b.example")

    def send(origin):
        return server.http("POST", data_path(made), "1", {**JSON, "Origin": origin})

    def ask(origin):
        return server.http("OPTIONS", data_path(made), headers={
            "Origin": origin, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type"})

    allowed = ask("https://a.example")
    assert allowed.header("access-control-allow-origin") == ["https://a.example"]
    assert "POST" in allowed.header("access-control-allow-methods")[0]
    assert "content-type" in allowed.header("access-control-allow-headers")[0].lower()
    below = send("https://x.b.example")
    assert below.status == 201 and "origin" in below.header("vary")[0].lower()
    assert below.header("access-control-allow-origin") == ["https://x.b.example"]
    for refused in (ask("https://evil.example"), send("https://evil.example"), send("null")):
        assert refused.status == 403 and not refused.header("access-control-allow-origin")
    assert cells(api, made) == ["1"]


def signed(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256)


def hexed(secret, text):
    return signed(secret, text).hexdigest()


def based(secret, text):
    return base64.b64encode(signed(secret, text).digest()).decode()


def proofs(secret, body, at):
    basic = base64.b64encode(f"u:{secret}".encode()).decode()
    return {
        "header": {"X-Webhook-Secret": secret},
        "bearer": {"Authorization": f"Bearer {secret}"},
        "basic": {"Authorization": f"Basic {basic}"},
        "github": {"X-Hub-Signature-256": "sha256=" + hexed(secret, body)},
        "shopify": {"X-Shopify-Hmac-Sha256": based(secret, body)},
        "stripe": {"Stripe-Signature": f"t={at},v1=00,v1=" + hexed(secret, f"{at}.{body}")},
        "slack": {"X-Slack-Request-Timestamp": str(at),
                  "X-Slack-Signature": "v0=" + hexed(secret, f"v0:{at}:{body}")},
        "standard": {"webhook-id": "m1", "webhook-timestamp": str(at),
                     "webhook-signature": "v1,AAAA v1," + based(secret, f"m1.{at}.{body}")},
    }


def test_a_secure_source_takes_any_one_proof(server, api, hook):
    made = hook(mode="combine", is_secure=True)
    secret, path, body, now = made["secret"], data_path(made), '{"s":1}', int(time.time())

    def send(headers, body=body, path=path, method="POST"):
        return server.http(method, path, body, {**JSON, **headers}).status

    given = proofs(secret, body, now)
    for name, headers in {**given, "pair": server.pair}.items():
        assert send(headers) == 201, name
    assert send({}, None, f"{path}?secret={secret}&x=1", "GET") == 200
    stored = cells(api, made)
    assert stored == [body] * 9 + ['{"x":"1"}'], "the secret is not stored"

    stale = proofs(secret, body, now - 4000)
    assert send({}) == send({"X-Webhook-Secret": "x"}) == 401
    for name in ("stripe", "slack", "standard"):
        assert send(stale[name]) == 401, name
    for name in ("github", "shopify", "stripe", "slack", "standard"):
        assert send(given[name], body + " ") == 401, f"{name} of another body"
    empty = {"X-Hub-Signature-256": "sha256=" + hexed(secret, "")}
    assert send(empty, None, path + "?x=2", "GET") == 401, "no signature covers a query"
    assert cells(api, made) == stored


def test_a_deleted_webhook_leaves_its_dataset(server, api, hook):
    made = hook(mode="combine")
    server.http("POST", data_path(made), "1", JSON)
    gone = server.http("DELETE", f"{HOOKS}/{made['id']}", headers=server.pair)
    assert gone.status == 204 and gone.body == b""
    for method in ("GET", "DELETE"):
        assert_error(api(method, f"{HOOKS}/{made['id']}"), 404)
    assert_error(api("POST", data_path(made), "1"), 404)
    assert cells(api, made) == ["1"]


def test_the_route_by_which_clients_test_a_connection(api):
    status, found = api("GET", "/api/v2/workspaces/1/projects?fields=id&limit=1")
    assert status == 200 and len(found["projects"]) == 1 and isinstance(found["next"], str)


def test_an_id_that_came_before_is_stored_once(server, api, hook):
    made = hook(mode="combine")
    answers = [server.http("POST", data_path(made), "1", {**JSON, "X-GitHub-Delivery": "d1"})
               for _ in range(2)]
    assert [answer.json["rows"] for answer in answers] == [1, 0] and len(cells(api, made)) == 1


def test_json_of_a_webhook_has_all_that_clients_demand(api, hook):
    made = hook()
    assert json.dumps(api("GET", f"{HOOKS}/{made['id']}")[1]["webhook"]) == json.dumps(made)
