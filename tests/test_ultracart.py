"""The UltraCart API through the unmodified newest SDK (docs/spec/ultracart.md)."""

import json

import pytest
from ultracart import ApiClient, Configuration
from ultracart.api.oauth_api import OauthApi
from ultracart.api.webhook_api import WebhookApi
from ultracart.exceptions import ApiException, ForbiddenException, UnauthorizedException
from ultracart.model.webhook import Webhook
from ultracart.model.webhook_event_category import WebhookEventCategory
from ultracart.model.webhook_event_subscription import WebhookEventSubscription

from harness import Receiver, Server, command, wait_until

ORDER = {"merchant_id": "DEMO", "order_id": "DEMO-0009104420", "current_stage": "Accounts Receivable",
         "creation_dts": "2021-05-18T12:10:19-04:00", "language_iso_code": "ENG"}


def api(server, key=None, version="2017-03-01"):
    key = server.simple_key if key is None else key
    configuration = Configuration(host=f"{server.url}/rest/v2",
                                  api_key={"x-ultracart-simple-key": key} if key else {})
    named = {"header_name": "X-UltraCart-Api-Version", "header_value": version} if version else {}
    return WebhookApi(ApiClient(configuration=configuration, **named))


def category(name, *events, **fields):
    subscriptions = [WebhookEventSubscription(event_name=event, **fields) for event in events]
    return WebhookEventCategory(event_category=name, events=subscriptions)


def subscribed(webhook):
    return {event.event_name: event for category in webhook.event_categories
            for event in category.events if event.subscribed}


def find(client, oid, **options):
    hooks = client.get_webhooks(limit=200, **options).webhooks
    return next(hook for hook in hooks if hook.webhook_oid == oid)


@pytest.fixture
def client(server):
    return api(server)


@pytest.fixture
def fresh(tmp_path):
    """A server without any endpoint."""
    server = Server(tmp_path).start()
    yield server
    assert server.stop() == 0


def test_01_the_catalogue(client):
    categories = client.get_webhook_event_categories().event_categories
    events = [event for category in categories for event in category.events]
    assert (len(categories), len(events)) == (10, 43)
    assert not any(event.subscribed for event in events)
    reflow = {event.event_name for event in events if event.supports_reflow}
    assert reflow == {"item_update", "order_create"}


def test_02_insert_with_generated_credentials(client):
    answer = client.insert_webhook(Webhook(
        webhook_url="https://hooks.example.com/basic", authentication_type="basic",
        maximum_events=10, maximum_size=5242880, compress_events=False,
        event_categories=[category("order", "order_create", "order_update",
                                   expansion="item,summary")]))
    assert answer.success and answer.get("error") is None
    hook = answer.webhook
    assert 0 < hook.webhook_oid < 2**31 and hook.merchant_id == "DEMO"
    assert hook.basic_username and len(hook.basic_password) >= 16
    assert hook.api_version == "2017-03-01"
    assert (hook.maximum_events, hook.maximum_size) == (10, 5242880)
    assert set(subscribed(hook)) == {"order_create", "order_update"}
    assert subscribed(hook)["order_create"].expansion == "item,summary"
    assert answer.metadata.payload_name == "webhook"


def test_03_a_category_is_a_label_and_an_expansion_is_kept(client):
    expansion = 'pricing,content.multimedia.thumbnails[filter(100,100,"png", true)]'
    hook = client.insert_webhook(Webhook(
        webhook_url="https://hooks.example.com/items", authentication_type="none",
        event_categories=[category("items", "item_update", expansion=expansion)])).webhook
    assert subscribed(hook)["item_update"].expansion == expansion


def test_04_insert_without_subscriptions(client):
    hook = client.insert_webhook(Webhook(webhook_url="https://hooks.example.com/bare")).webhook
    assert hook.authentication_type == "none"
    assert not hook.get("event_categories")


def test_05_insert_with_placeholders(client):
    hook = client.insert_webhook(
        Webhook(webhook_url="https://hooks.example.com/all",
                event_categories=[category("user", "user_login")]), placeholders=True).webhook
    assert sum(len(category.events) for category in hook.event_categories) == 43
    assert set(subscribed(hook)) == {"user_login"}


def test_06_to_09_lists(fresh):
    client = api(fresh)
    urls = [f"https://hooks.example.com/{letter}" for letter in "bca"]
    for url in urls:
        client.insert_webhook(Webhook(webhook_url=url,
                                      event_categories=[category("order", "order_ship")]))
    every = client.get_webhooks(limit=200, offset=0)
    assert every.metadata.payload_name == "webhooks"
    assert every.metadata.result_set.count == len(every.webhooks) == 3
    assert every.metadata.result_set.total_records == 3 and not every.metadata.result_set.more
    assert [hook.webhook_url for hook in every.webhooks] == sorted(urls)

    first = client.get_webhooks(limit=1)
    assert first.metadata.result_set.more
    second = client.get_webhooks(limit=1, offset=first.metadata.result_set.next_offset)
    assert first.webhooks[0].webhook_oid != second.webhooks[0].webhook_oid

    turned = client.get_webhooks(sort="-webhook_url").webhooks
    assert [hook.webhook_url for hook in turned] == sorted(urls, reverse=True)
    with pytest.raises(ApiException) as refused:
        client.get_webhooks(sort="+nope")
    assert refused.value.status == 400

    for placeholders, events in ((True, 43), (False, 1)):
        hook = client.get_webhooks(placeholders=placeholders).webhooks[0]
        assert sum(len(category.events) for category in hook.event_categories) == events


def test_10_and_11_updates(client):
    made = client.insert_webhook(Webhook(
        webhook_url="https://hooks.example.com/u", authentication_type="basic",
        event_categories=[category("order", "order_create", expansion="item")])).webhook
    oid = made.webhook_oid
    read = find(client, oid, placeholders=True)
    read.basic_password = "another-password"
    client.update_webhook(oid, read)
    after = find(client, oid)
    assert after.basic_password == "another-password"
    assert after.basic_username == made.basic_username
    assert set(subscribed(after)) == {"order_create"}
    assert subscribed(after)["order_create"].expansion == "item"

    client.update_webhook(oid, Webhook(webhook_url="https://hooks.example.com/v", disabled=True))
    after = find(client, oid)
    assert (after.webhook_url, after.disabled) == ("https://hooks.example.com/v", True)
    assert after.basic_password == "another-password"
    assert set(subscribed(after)) == {"order_create"}


def test_12_names_and_comments_have_limits(client, server):
    made = client.insert_webhook(Webhook(webhook_url="https://hooks.example.com/n", name="n" * 80,
                                         merchant_comments="c" * 2000)).webhook
    read = find(client, made.webhook_oid)
    assert (read.name, read.merchant_comments) == ("n" * 80, "c" * 2000)
    for field, length in (("name", 81), ("merchant_comments", 2001)):
        body = {"webhook_url": "https://hooks.example.com/n", field: "x" * length}
        assert server.ultracart("POST", "/webhook/webhooks", body).status == 400


def test_13_an_unknown_webhook_is_400_with_its_header(client):
    with pytest.raises(ApiException) as refused:
        client.update_webhook(999999999, Webhook(webhook_url="https://hooks.example.com/x"))
    assert refused.value.status == 400
    assert "'webhook'" in refused.value.headers["UC-REST-ERROR"]
    assert "developer_message" in refused.value.body


def test_14_to_16_the_log(fresh):
    client = api(fresh)
    with Receiver(script=[500, 0.3]) as receiver:
        oid = client.insert_webhook(Webhook(
            webhook_url=receiver.url, maximum_events=1,
            event_categories=[category("order", "order_create", "order_ship")])).webhook.webhook_oid
        fresh.publish("order_create", ORDER, "e1")
        wait_until(lambda: len(receiver.deliveries) == 2, 20, "the retry")
        fresh.publish("order_ship", {**ORDER, "order_id": "DEMO-2", "note": "by <sea>"}, "e2")
        wait_until(lambda: find(client, oid).pending == 0, what="the queue emptying")

    def rows(**filters):
        return client.get_webhook_log_summaries(oid, limit=200, **filters).webhook_log_summaries

    every = rows(since="2025-01-01T00:00:00+00:00")
    assert [row.success for row in every] == [True, True, False]
    assert [row.delivery_dts for row in every] == sorted(
        (row.delivery_dts for row in every), reverse=True)
    ship, slow, failed = (row.request_id for row in every)

    def ids(**filters):
        return [row.request_id for row in rows(**filters)]

    assert ids(success=False) == [failed] and ids(success=True) == [ship, slow]
    assert ids(status="500") == [failed]
    assert ids(duration=250) == [slow]
    assert ids(event="order_ship") == [ship]
    assert ids(order_id="DEMO-0009104420") == [slow, failed]
    assert ids(request="by <sea>") == [ship]
    assert ids(request_id=slow) == [slow]
    assert ids(begin_date="2999-01-01T00:00:00+00:00") == []
    assert ids(end_date="2999-01-01T00:00:00.000-05:00") == [ship, slow, failed]
    assert ids(success=False, event="order_ship") == []

    log = client.get_webhook_log(oid, failed).webhook_log
    assert (log.webhook_oid, log.status_code, log.success) == (oid, 500, False)
    assert log.uri == receiver.url and '"order_create"' in log.request and log.response == "ok"
    assert log.event_names == ["order_create"] and log.order_ids == ["DEMO-0009104420"]
    assert {header.name.lower(): header.value for header in log.request_headers}[
        "content-type"] == "application/json; charset=UTF-8"
    with pytest.raises(ApiException) as refused:
        client.get_webhook_log(oid, "0" * 26 + "80011")
    assert refused.value.status == 400


def test_17_and_18_reflow(fresh):
    client = api(fresh)
    for number in range(3):
        fresh.publish("item_update", {"merchant_item_oid": number}, f"i{number}")
    with Receiver() as receiver:
        oid = client.insert_webhook(Webhook(
            webhook_url=receiver.url,
            event_categories=[category("item", "item_update", "item_delete")])).webhook.webhook_oid
        fresh.publish("item_update", {"merchant_item_oid": 3}, "i3")
        wait_until(lambda: len(receiver.events()) == 1, what="the live event")
        reflow = client.resend_event(oid, "item_update").reflow
        assert (reflow.event_name, reflow.queued) == ("item_update", True)
        wait_until(lambda: len(receiver.events()) == 5, what="the reflow")
        oids = [event["item_update"]["merchant_item_oid"] for event in receiver.events()]
        assert oids == [3, 0, 1, 2, 3]
        for name in ("order_ship", "item_delete", "order_create", "no_such"):
            with pytest.raises(ApiException) as refused:
                client.resend_event(oid, name)
            assert refused.value.status == 400, name


def test_19_and_20_deletes(client):
    url = "https://hooks.example.com/gone"
    client.insert_webhook(Webhook(webhook_url=url))
    answer = client.delete_webhook_by_url(Webhook(webhook_url=url))
    assert answer.success and answer.webhook.webhook_url == url
    with pytest.raises(ApiException) as refused:
        client.delete_webhook_by_url(Webhook(webhook_url=url))
    assert refused.value.status == 400
    oid = client.insert_webhook(Webhook(webhook_url=url)).webhook.webhook_oid
    assert client.delete_webhook(oid) is None
    with pytest.raises(ApiException) as refused:
        client.delete_webhook(oid)
    assert refused.value.status == 400


def test_21_to_23_credentials(server):
    for key in ("", "0" * 64):
        with pytest.raises(UnauthorizedException):
            api(server, key).get_webhooks()
    reader = api(server, server.credential("--scope", "webhook_read")["simple_key"])
    assert reader.get_webhooks(limit=1).success
    with pytest.raises(ForbiddenException):
        reader.delete_webhook(1)
    assert api(server, version=None).get_webhooks().success
    # A bearer token, with the word and, as TypeScript sends it, without.
    token = server.credential("--kind", "token")["token"]
    for value in (f"Bearer {token}", token):
        answer = server.http("GET", "/rest/v2/webhook/webhooks", headers={"Authorization": value})
        assert answer.status == 200, value


BACK = "https://reports.example.com/back"


def registered(server, **fields):
    """A new application; as the native API shows it."""
    body = {"name": "Reports", "developer": "Example Ltd", "redirect_uris": [BACK],
            "scopes": ["webhook_read", "webhook_write"], **fields}
    answer = server.http("POST", "/v1/applications", body,
                         {"x-ultracart-simple-key": server.simple_key})
    assert answer.status == 201, answer.body
    return answer.json


def with_token(server, token, kind=WebhookApi):
    configuration = Configuration(host=f"{server.url}/rest/v2", access_token=token)
    return kind(ApiClient(configuration=configuration))


def tokens_of(server, application):
    code = server.authorization_code(application["client_id"], BACK)
    return with_token(server, None, OauthApi).oauth_access_token(
        application["client_id"], "authorization_code", code=code, redirect_uri=BACK)


def test_24_a_disabled_application(server):
    application = registered(server)
    client = with_token(server, tokens_of(server, application).access_token)
    assert client.get_webhooks(limit=1).success
    change = lambda disabled: server.http(
        "PATCH", f"/v1/applications/{application['id']}", {"disabled": disabled},
        {"x-ultracart-simple-key": server.simple_key}).status
    assert change(True) == 200
    with pytest.raises(ApiException) as gone:
        client.get_webhooks(limit=1)
    assert gone.value.status == 410 and "disabled" in gone.value.headers["UC-REST-ERROR"]
    page = server.http("GET", "/rest/v2/oauth/authorize?client_id=" + application["client_id"])
    assert page.status == 410
    assert change(False) == 200 and client.get_webhooks(limit=1).success


def test_24_a_disabled_key(fresh):
    made = fresh.credential("--scope", "webhook_read")
    client = api(fresh, made["simple_key"])
    assert client.get_webhooks().success

    def status():
        try:
            return 200 if client.get_webhooks().success else None
        except ApiException as refused:
            return refused.status

    for verb, expected in [("disable", 410), ("enable", 200)]:
        done = command("credential", verb, str(made["credential_id"]), "--json",
                       env=fresh.place)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["disabled"] is (verb == "disable")
        # By command, so within five seconds.
        wait_until(lambda: status() == expected, what=f"{verb}d")


def test_26_tokens(server):
    application = registered(server)
    oauth = with_token(server, None, OauthApi)
    tokens = tokens_of(server, application)
    assert tokens.token_type == "bearer" and isinstance(tokens.expires_in, str)
    assert int(tokens.expires_in) > 0 and tokens.scope == "webhook_read webhook_write"
    renewed = oauth.oauth_access_token(application["client_id"], "refresh_token",
                                       refresh_token=tokens.refresh_token)
    assert renewed.token_type == "bearer" and isinstance(renewed.expires_in, str)
    assert with_token(server, renewed.access_token).get_webhooks(limit=1).success
    for value in (f"Bearer {renewed.access_token}", renewed.access_token):
        answer = server.http("GET", "/rest/v2/webhook/webhooks", headers={"Authorization": value})
        assert answer.status == 200, value


def test_a_webhook_shows_whose_token_made_it(server):
    application = registered(server, url="https://reports.example.com/")
    client = with_token(server, tokens_of(server, application).access_token)
    made = client.insert_webhook(Webhook(webhook_url="https://hooks.example.com/p")).webhook
    for webhook in (made, find(api(server), made.webhook_oid)):
        profile = webhook.application_profile
        assert profile.application_name == "Reports" and profile.developer_name == "Example Ltd"
        assert profile.developer_website == "https://reports.example.com/"
    own = api(server).insert_webhook(Webhook(webhook_url="https://hooks.example.com/q")).webhook
    assert own.get("application_profile") is None


def test_44_only_what_matches_the_rule_is_delivered(fresh):
    client = api(fresh)
    rule = '{"current_stage":["Shipping Department"]}'
    stages = ["Accounts Receivable", "Shipping Department", "Completed Order"]
    orders = [("order_create", {**ORDER, "order_id": f"DEMO-{n}", "current_stage": stage}, f"o{n}")
              for n, stage in enumerate(stages)]
    with Receiver() as receiver, Receiver() as everything:
        hook = client.insert_webhook(Webhook(
            webhook_url=receiver.url,
            event_categories=[category("order", "order_create", event_ruler=rule)])).webhook
        client.insert_webhook(Webhook(webhook_url=everything.url,
                                      event_categories=[category("order", "order_create")]))
        assert subscribed(hook)["order_create"].event_ruler == rule
        assert [receipt["matched"] for receipt in fresh.publish_all(orders)] == [1, 2, 1]
        wait_until(lambda: len(everything.events()) == 3, what="the endpoint without a rule")
        wait_until(lambda: receiver.events(), what="the order that matches")
        assert client.resend_event(hook.webhook_oid, "order_create").reflow.queued
        wait_until(lambda: len(receiver.events()) == 2, what="the reflow")
        wait_until(lambda: find(client, hook.webhook_oid).pending == 0, what="the end of the queue")
        assert [event["order_create"]["order_id"] for event in receiver.events()] == ["DEMO-1"] * 2


def test_44_an_invalid_rule_is_refused_with_its_reason(client):
    with pytest.raises(ApiException) as refused:
        client.insert_webhook(Webhook(
            webhook_url="https://hooks.example.com/r",
            event_categories=[category("order", "order_create", event_ruler='{"a":1}')]))
    assert refused.value.status == 400
    message = refused.value.headers["UC-REST-ERROR"]
    assert message.startswith("event_categories[0].events[0].event_ruler: a: "), message


@pytest.mark.parametrize(
    ("url", "event"),
    [
        ("http://93.184.216.34/h", "order_create"),  # plain http with customer data
        ("https://10.1.2.3/h", "order_create"),  # a private address that is not allowed
        ("https://[::ffff:10.1.2.3]/h", "item_update"),
        ("https://169.254.169.254/h", "item_update"),
        ("ftp://hooks.example.com/h", "item_update"),
        ("/h", "item_update"),
    ],
)
def test_urls_that_must_not_be_delivered_to(client, url, event):
    with pytest.raises(ApiException) as refused:
        client.insert_webhook(Webhook(webhook_url=url,
                                      event_categories=[category("x", event)]))
    assert refused.value.status == 400
