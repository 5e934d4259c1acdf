"""The UltraCart API through the oldest SDK on PyPI, of another code generator than today's: what the
seed's calls 27 to 33 are in it."""

import pytest
import ultracart
from ultracart import Webhook, WebhookEventCategory, WebhookEventSubscription
from ultracart.rest import ApiException

from harness import wait_until


def api(server, key=None):
    configuration = ultracart.Configuration()
    configuration.host = f"{server.url}/rest/v2"
    # This generator sends an empty bearer with every call, which must count as none.
    configuration.access_token = ""
    if key is not None:
        configuration.api_key["x-ultracart-simple-key"] = key
    return ultracart.WebhookApi(ultracart.ApiClient(configuration))


@pytest.fixture
def client(server):
    return api(server, server.simple_key)


def hook(url, category, *events, **fields):
    subscriptions = []
    for name in events:
        subscription = WebhookEventSubscription()
        subscription.event_name = name
        subscription.subscribed = True
        subscriptions.append(subscription)
    group = WebhookEventCategory()
    group.event_category, group.events = category, subscriptions
    webhook = Webhook()
    webhook.webhook_url, webhook.event_categories = url, [group]
    for name, value in fields.items():
        setattr(webhook, name, value)
    return webhook


def test_27_insert(client):
    made = client.insert_webhook(hook("https://hooks.example.com/o", "order", "order_create",
                                      api_version="2017-03-01", authentication_type="basic",
                                      maximum_events=10, maximum_size=900000)).webhook
    assert made.basic_username and made.basic_password
    assert made.api_version == "2017-03-01" and made.webhook_oid > 0


def test_28_a_list_with_what_this_sdk_does_not_know(client, server):
    body = {"webhook_url": "https://hooks.example.com/iam", "authentication_type": "aws iam",
            "iam_access_key": "A", "iam_secret_key": "S", "name": "new", "compress_events": True}
    assert server.ultracart("POST", "/webhook/webhooks", body).status == 200
    answer = client.get_webhooks(limit=100, offset=0, sort=None, placeholders=None)
    urls = {webhook.webhook_url for webhook in answer.webhooks}
    assert "https://hooks.example.com/iam" in urls
    assert answer.metadata.result_set.count == len(answer.webhooks)


def test_29_update(client):
    made = client.insert_webhook(hook("https://hooks.example.com/p", "order", "order_ship")).webhook
    made.maximum_events = 25
    changed = client.update_webhook(made, made.webhook_oid, placeholders=False).webhook
    assert changed.maximum_events == 25
    [category] = changed.event_categories
    assert [event.event_name for event in category.events] == ["order_ship"]


def test_30_and_31_logs_and_reflow(client, server, receiver):
    made = client.insert_webhook(hook(receiver.url, "item", "item_update")).webhook
    server.publish("item_update", {"merchant_item_oid": 1}, "old-1")
    wait_until(lambda: receiver.deliveries, what="the delivery")
    rows = wait_until(lambda: client.get_webhook_log_summaries(
        made.webhook_oid, since="2017-01-01T00:00:00+00:00").webhook_log_summaries,
        what="the log row")
    log = client.get_webhook_log(made.webhook_oid, rows[0].request_id).webhook_log
    assert log.success and log.status_code == 200 and log.uri == receiver.url
    assert "content-type" in {header.name.lower() for header in log.request_headers}
    sample = client.resend_event(made.webhook_oid, "item_update").webhook_sample_request
    assert sample.uri == receiver.url
    wait_until(lambda: len(receiver.deliveries) == 2, what="the reflow")


def test_32_delete(client):
    made = client.insert_webhook(hook("https://hooks.example.com/q", "user", "user_login")).webhook
    assert client.delete_webhook(made.webhook_oid) is None
    with pytest.raises(ApiException) as refused:
        client.delete_webhook(made.webhook_oid)
    assert refused.value.status == 400


def test_delete_by_url(client):
    url = "https://hooks.example.com/by-url"
    client.insert_webhook(hook(url, "user", "user_login"))
    webhook = Webhook()
    webhook.webhook_url = url
    assert client.delete_webhook_by_url(webhook).webhook.webhook_url == url


def test_33_no_key(server):
    with pytest.raises(ApiException) as refused:
        api(server).get_webhooks()
    assert refused.value.status == 401


BACK = "https://reports.example.com/back"


def test_26_tokens(server):
    """This SDK sends an empty bearer with its OAuth calls, too, and knows no merchant_id."""
    body = {"name": "Reports", "redirect_uris": [BACK], "scopes": ["webhook_read"]}
    made = server.http("POST", "/v1/applications", body,
                       {"x-ultracart-simple-key": server.simple_key})
    assert made.status == 201, made.body
    client_id = made.json["client_id"]
    oauth = ultracart.OauthApi(api(server).api_client)
    code = server.authorization_code(client_id, BACK)
    tokens = oauth.oauth_access_token(client_id, "authorization_code", code=code,
                                      redirect_uri=BACK)
    assert tokens.token_type == "bearer" and tokens.expires_in == "31536000"
    assert tokens.scope == "webhook_read" and tokens.error is None
    renewed = oauth.oauth_access_token(client_id, "refresh_token",
                                       refresh_token=tokens.refresh_token)

    def client(token):
        client = api(server)
        client.api_client.configuration.access_token = token
        return client

    for token in (tokens.access_token, renewed.access_token):
        assert client(token).get_webhooks(limit=1).success
    with pytest.raises(ApiException) as refused:
        client(renewed.access_token).delete_webhook(1)
    assert refused.value.status == 403
    with pytest.raises(ApiException) as refused:
        oauth.oauth_access_token(client_id, "authorization_code", code="nonsense",
                                 redirect_uri=BACK)
    assert refused.value.status == 400 and "invalid_grant" in refused.value.body
    assert oauth.oauth_revoke(client_id, renewed.access_token).successful is True
    with pytest.raises(ApiException) as refused:
        client(renewed.access_token).get_webhooks(limit=1)
    assert refused.value.status == 401
