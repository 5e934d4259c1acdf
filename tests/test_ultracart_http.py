"""The UltraCart API as other languages' clients use it (docs/spec/ultracart.md): their
header sets and bodies over plain HTTP."""

import json

import pytest

from harness import wait_until

HOOKS = "/webhook/webhooks"
BODY = {
    "webhook_url": "https://hooks.example.com/h",
    "name": "named",
    "event_categories": [{"event_category": "order", "events": [{"event_name": "order_create"}]}],
}

# The User-Agent and whatever else is peculiar in what a client sends with every call (docs/spec/ultracart.md#requests-of-the-sdks).
CLIENTS = {
    "java": {"User-Agent": "OpenAPI-Generator/4.1.67/java", "X-UltraCart-Api-Version": "2017-03-01",
             "Accept": "application/json"},
    "typescript": {"User-Agent": "node", "Accept": "*/*", "X-UltraCart-Api-Version": "2017-03-01"},
    "javascript": {"User-Agent": "OpenAPI-Generator/4.1.85/Javascript", "Accept": "application/json",
                   "Accept-Encoding": "gzip, deflate"},
    "php": {"User-Agent": "OpenAPI-Generator/1.0.0/PHP", "Content-Type": "application/json",
            "X-UltraCart-Api-Version": "2017-03-01"},
    "ruby": {"User-Agent": "OpenAPI-Generator/4.1.67/ruby", "Authorization": "Bearer ",
             "Content-Type": "application/json", "X-UltraCart-Api-Version": "2017-03-01"},
    "csharp": {"User-Agent": "OpenAPI-Generator/4.1.77/csharp",
               "X-UltraCart-Api-Version": "2017-03-01"},
    "python 2017": {"User-Agent": "Swagger-Codegen/1.0.0/python", "Authorization": "Bearer ",
                    "Accept": "application/json", "Content-Type": "application/json"},
    "python 2021": {"User-Agent": "Swagger-Codegen/3.1.0/python", "Authorization": "Bearer ",
                    "Accept": "application/json", "Content-Type": "application/json"},
    "nothing": {},
}


def call(server, method, path, body=None, client="nothing", **more):
    headers = {"x-ultracart-simple-key": server.simple_key, **CLIENTS[client], **more}
    return server.http(method, f"/rest/v2{path}", body, headers)


def sound(answer):
    """What holds of every answer that has a body: JSON in UTF-8, no null, no number above int32."""
    assert answer.header("content-type") == ["application/json; charset=UTF-8"]
    [request_id] = answer.header("x-ultracart-request-id")
    assert len(request_id) == 31 and request_id == request_id.upper()

    def scan(value, path):
        assert value is not None, f"null at {path}"
        if isinstance(value, dict):
            for name, inner in value.items():
                scan(inner, f"{path}.{name}")
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                scan(inner, f"{path}[{index}]")
        elif isinstance(value, int):
            assert abs(value) < 2**31, path

    scan(json.loads(answer.body.decode("utf-8")), "$")
    return answer.json


@pytest.fixture
def made(server):
    webhook = sound(call(server, "POST", HOOKS, BODY))["webhook"]
    yield webhook
    call(server, "DELETE", f"{HOOKS}/{webhook['webhook_oid']}")


def listed(server, oid, client, query="?_limit=200"):
    answer = call(server, "GET", HOOKS + query, client=client)
    assert answer.status == 200
    return next(hook for hook in sound(answer)["webhooks"] if hook["webhook_oid"] == oid)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_lists_inserts_changes_and_deletes(server, client):
    answer = call(server, "POST", HOOKS, BODY, client)
    assert answer.status == 200
    oid = sound(answer)["webhook"]["webhook_oid"]
    assert listed(server, oid, client)["webhook_url"] == BODY["webhook_url"]
    change = {"webhook_url": "https://hooks.example.com/i", "disabled": True}
    assert sound(call(server, "PUT", f"{HOOKS}/{oid}", change, client))["webhook"]["disabled"]
    assert sound(call(server, "GET", f"{HOOKS}/{oid}/logs", client=client))[
        "webhook_log_summaries"] == []
    gone = call(server, "DELETE", f"{HOOKS}/{oid}", client=client)
    assert (gone.status, gone.body) == (204, b"")
    again = call(server, "DELETE", f"{HOOKS}/{oid}", client=client)
    assert again.status == 400
    assert sound(again)["error"]["user_message"] == again.header("uc-rest-error")[0]


def test_34_java_of_a_version_knows_only_its_fields(server, receiver):
    body = {**BODY, "webhook_url": receiver.url,
            "event_categories": [{"events": [{"event_name": "item_update"}]}]}
    oid = sound(call(server, "POST", HOOKS, body))["webhook"]["webhook_oid"]
    server.publish("item_update", {"merchant_item_oid": 1}, "java-1")
    wait_until(lambda: receiver.deliveries, what="the delivery")
    logs = f"{HOOKS}/{oid}/logs"
    wait_until(lambda: call(server, "GET", logs).json["webhook_log_summaries"], what="the log row")
    assert "name" not in listed(server, oid, "java")
    assert listed(server, oid, "nothing")["name"] == "named"
    [row] = sound(call(server, "GET", logs, client="java"))["webhook_log_summaries"]
    assert set(row) == {"request_id", "delivery_dts", "success"}
    log = sound(call(server, "GET", f"{logs}/{row['request_id']}", client="java"))["webhook_log"]
    assert not {"event_names", "order_ids"} & set(log)
    reflow = sound(call(server, "POST", f"{HOOKS}/{oid}/reflow/item_update", client="java"))
    assert "webhook_sample_request" not in reflow and reflow["reflow"]["queued"]
    call(server, "DELETE", f"{HOOKS}/{oid}")


def test_legacy_clients_are_not_shown_what_they_cannot_read(server, made):
    keys = {"iam_access_key": "AK", "iam_secret_key": "SK"}
    oid = made["webhook_oid"]
    change = {"authentication_type": "aws iam", "api_version": "2017-03-01", **keys}
    assert call(server, "PUT", f"{HOOKS}/{oid}", change).status == 200
    modern = listed(server, oid, "nothing")
    assert (modern["authentication_type"], modern["api_version"]) == ("aws iam", "2017-03-01")
    assert "iam_secret_key" not in modern
    for client in ("python 2017", "python 2021"):
        legacy = listed(server, oid, client)
        assert "authentication_type" not in legacy and "api_version" not in legacy
    assert "authentication_type" not in json.loads(call(
        server, "PUT", f"{HOOKS}/{oid}", {"maximum_events": 20}, "nothing",
        **{"User-Agent": "OpenAPI-Generator/4.0.200/python"}).body)["webhook"]


@pytest.mark.parametrize("query", ["_placeholders=1", "_placeholders=TRUE", "_placeholders=null",
                                   "_placeholders=None", "_sort=null", "_sort=None", "_sort=",
                                   "_sort=+webhook_url", "_sort=%2Bwebhook_url%2C-disabled",
                                   "_limit=200&_offset=0", "unknown=1"])
def test_36_queries_as_clients_spell_them(server, made, query):
    answer = call(server, "GET", f"{HOOKS}?{query}")
    assert answer.status == 200
    sound(answer)


@pytest.mark.parametrize("query", ["_limit=0", "_limit=201", "_limit=-1", "_limit=x", "_offset=-1",
                                   "_placeholders=maybe", "_sort=%2Bnope"])
def test_bad_queries_are_400_with_the_live_body(server, query):
    answer = call(server, "GET", f"{HOOKS}?{query}")
    assert answer.status == 400
    body = sound(answer)
    assert body["error"]["developer_message"] == body["error"]["user_message"]
    assert answer.header("uc-rest-error") == [body["error"]["developer_message"]]


@pytest.mark.parametrize("kind", ["empty", "object", "no content type"])
def test_37_a_reflow_takes_any_body(server, kind):
    body = {**BODY, "disabled": False}
    oid = sound(call(server, "POST", HOOKS, body))["webhook"]["webhook_oid"]
    headers = {} if kind == "no content type" else {"Content-Type": "application/json"}
    content = b"{}" if kind == "object" else b""
    answer = call(server, "POST", f"{HOOKS}/{oid}/reflow/order_create", content, **headers)
    assert answer.status == 200
    assert sound(answer)["reflow"]["event_name"] == "order_create"
    call(server, "DELETE", f"{HOOKS}/{oid}")


def test_38_bodies_with_nulls_and_escaped_slashes(server):
    body = (r'{"webhook_url":"https:\/\/hooks.example.com\/php","name":null,"api_version":null,'
            r'"disabled":null,"event_categories":[{"event_category":"order","subscribed":null,'
            r'"events":[{"event_name":"order_create","event_ruler":null,"expansion":null,'
            r'"subscribed":true}]}]}')
    answer = call(server, "POST", HOOKS, body, "php")
    assert answer.status == 200
    webhook = sound(answer)["webhook"]
    assert webhook["webhook_url"] == "https://hooks.example.com/php"
    assert webhook["event_categories"][0]["events"][0]["event_name"] == "order_create"


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', '{"webhook_url":5}', "{}",
                                  '{"webhook_url":"https://hooks.example.com/x","maximum_events":-1}',
                                  '{"webhook_url":"https://hooks.example.com/x","event_categories":'
                                  '[{"events":[{"event_name":"no_such_event"}]}]}'])
def test_bad_bodies_are_400(server, body):
    answer = call(server, "POST", HOOKS, body, **{"Content-Type": "application/json"})
    assert answer.status == 400
    sound(answer)


def test_40_a_delete_by_url_answers_200_with_the_envelope(server):
    call(server, "POST", HOOKS, {"webhook_url": "https://hooks.example.com/ts"})
    token = server.credential("--kind", "token")["token"]
    answer = server.http("DELETE", f"/rest/v2{HOOKS}", '{"webhook_url":"https://hooks.example.com/ts"}',
                         {**CLIENTS["typescript"], "Authorization": token,
                          "Content-Type": "application/json"})
    assert answer.status == 200
    body = sound(answer)
    assert body["success"] and body["metadata"] == {"payload_name": "webhook"}


def test_no_credential_is_401_and_unknown_routes_are_404(server):
    for headers in ({}, {"Authorization": "Bearer "}, {"x-ultracart-simple-key": ""},
                    {"x-ultracart-browser-key": server.simple_key}):
        answer = server.http("GET", f"/rest/v2{HOOKS}", headers=headers)
        assert answer.status == 401, headers
        assert sound(answer)["error"]["error_code"] == "401"
        assert answer.header("www-authenticate") == ["Bearer"]
    assert call(server, "GET", "/webhook/nothing").status == 404


def test_csharp_says_false_by_leaving_out(server, made):
    oid = made["webhook_oid"]
    assert call(server, "PUT", f"{HOOKS}/{oid}", {"disabled": True}).json["webhook"]["disabled"]
    body = {"webhook_url": BODY["webhook_url"]}
    assert call(server, "PUT", f"{HOOKS}/{oid}", body).json["webhook"]["disabled"]
    changed = call(server, "PUT", f"{HOOKS}/{oid}", body, "csharp").json["webhook"]
    assert not changed["disabled"]


def test_41_the_shop_plugin_fills_its_database(server, receiver):
    token = server.credential("--kind", "token")["token"]
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    server.publish("item_update", {"merchant_item_oid": 4711, "description": "a"}, "wp-1")
    body = {"webhook_url": receiver.url + "?action=ucwp_webhook", "authentication_type": "basic",
            "basic_username": "shop", "basic_password": "pass:word", "maximum_events": 100,
            "maximum_size": 250000, "api_version": "2017-03-01", "event_categories": [
                {"event_category": "items", "events": [{"event_name": "item_update"}]}]}
    made = server.http("POST", f"/rest/v2{HOOKS}", body, bearer)
    assert made.status == 200 and made.json["webhook"]["merchant_id"] == "DEMO"
    oid = made.json["webhook"]["webhook_oid"]
    assert server.http("POST", f"/rest/v2{HOOKS}/{oid}/reflow/item_update", b"", bearer).status == 200
    wait_until(lambda: receiver.deliveries, what="the reflow")
    [delivery] = receiver.deliveries
    assert delivery.path == "/hook?action=ucwp_webhook"
    assert delivery.headers["X-Authorization-Basic"] == "c2hvcDpwYXNzOndvcmQ="
    assert delivery.headers["Authorization"] == "Basic c2hvcDpwYXNzOndvcmQ="
    oids = [event["item_update"]["merchant_item_oid"] for event in delivery.events]
    assert 4711 in oids
    rows = wait_until(lambda: call(server, "GET", f"{HOOKS}/{oid}/logs").json[
        "webhook_log_summaries"], what="the log row")
    log = call(server, "GET", f"{HOOKS}/{oid}/logs/{rows[0]['request_id']}")
    assert b"c2hvcDpwYXNzOndvcmQ" not in log.body and b"pass:word" not in log.body
    call(server, "DELETE", f"{HOOKS}/{oid}")
