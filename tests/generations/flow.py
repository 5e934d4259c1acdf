"""One run through the webhook API by the UltraCart SDK that PYTHONPATH leads to, whatever its generation.
The arguments are the API's URL, a simple key and a receiver's URL. Prints what the SDK's models say."""

import json
import sys
import time

import ultracart

HOST, KEY, RECEIVER = sys.argv[1:]
OPENAPI = hasattr(ultracart, "exceptions") or not hasattr(ultracart, "WebhookApi")

if OPENAPI:
    from ultracart.api.webhook_api import WebhookApi
    from ultracart.exceptions import ApiException
    from ultracart.model.webhook import Webhook
    from ultracart.model.webhook_event_category import WebhookEventCategory
    from ultracart.model.webhook_event_subscription import WebhookEventSubscription
else:
    from ultracart import Webhook, WebhookApi, WebhookEventCategory, WebhookEventSubscription
    from ultracart.rest import ApiException


def client():
    configuration = ultracart.Configuration()
    configuration.host = HOST
    configuration.api_key["x-ultracart-simple-key"] = KEY
    if not OPENAPI:
        # As its constructor has it: an empty bearer is sent beside the key.
        configuration.access_token = ""
    return WebhookApi(ultracart.ApiClient(configuration))


def webhook(url, *events, **fields):
    subscriptions = [WebhookEventSubscription(event_name=event, subscribed=True) for event in events]
    group = WebhookEventCategory(event_category="item", events=subscriptions)
    return Webhook(webhook_url=url, event_categories=[group], **fields)


def member(model, name):
    """A member of either generation's model; None when the answer left it out."""
    return model.get(name) if OPENAPI else getattr(model, name, None)


def eventually(probe):
    deadline = time.monotonic() + 20
    while not (found := probe()):
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.05)
    return found


def refused(call):
    try:
        call()
    except ApiException as error:
        return error.status
    return None


def main():
    api = client()
    made = api.insert_webhook(webhook(RECEIVER, "item_update", "item_create",
                                      authentication_type="basic", maximum_events=10)).webhook
    oid = made.webhook_oid
    print(json.dumps({"oid": oid}), flush=True)
    sys.stdin.readline()  # The caller has published an event.
    # The list has webhooks of kinds that came after this SDK.
    listed = api.get_webhooks(limit=100).webhooks
    first = api.get_webhooks(limit=1)
    made.maximum_events = 25
    changed = api.update_webhook(oid, made).webhook if OPENAPI else api.update_webhook(
        made, oid).webhook
    since = "2017-01-01T00:00:00+00:00"
    rows = eventually(lambda: api.get_webhook_log_summaries(oid, since=since).webhook_log_summaries)
    log = api.get_webhook_log(oid, rows[0].request_id).webhook_log
    answer = api.resend_event(oid, "item_update")
    said = [name for name in ("reflow", "webhook_sample_request") if member(answer, name)]
    result = {
        "agent": api.api_client.user_agent,
        "password": bool(member(made, "basic_password")),
        "subscribed": sorted(event.event_name for category in made.event_categories
                             for event in category.events if event.subscribed),
        "urls": sorted(hook.webhook_url for hook in listed),
        "more": first.metadata.result_set.more,
        "maximum_events": changed.maximum_events,
        "status_code": log.status_code,
        "headers": sorted(header.name.lower() for header in log.request_headers),
        "reflow": said,
        "not_reflowed": refused(lambda: api.resend_event(oid, "order_ship")),
    }
    api.delete_webhook(oid)
    result["deleted_twice"] = refused(lambda: api.delete_webhook(oid))
    if hasattr(api, "delete_webhook_by_url"):
        url = "https://hooks.example.com/by-url"
        api.insert_webhook(webhook(url, "item_update"))
        result["by_url"] = api.delete_webhook_by_url(Webhook(webhook_url=url)).webhook.webhook_url
    print(json.dumps(result), flush=True)


main()
