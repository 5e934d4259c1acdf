"""Deliveries of the real binary to a server that speaks the protocol of Amazon SQS."""

import base64
import gzip
import json

import boto3
import pytest
from moto.server import ThreadedMotoServer

from harness import wait_until

HOOKS = "/webhook/webhooks"
KEYS = {"iam_access_key": "AKIDTEST", "iam_secret_key": "s3cret"}


@pytest.fixture(scope="module")
def sqs():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "sqs",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIDTEST",
        aws_secret_access_key="s3cret",
    )
    server.stop()


def register(server, url, **fields):
    events = [{"events": [{"event_name": "order_create"}]}]
    body = {"webhook_url": url, "authentication_type": "aws iam", "event_categories": events}
    answer = server.ultracart("POST", HOOKS, {**body, **KEYS, **fields})
    assert answer.status == 200, answer.body
    return answer.json["webhook"]["webhook_oid"]


def messages(sqs, url, count):
    """The next messages of a queue, in order."""
    found = []

    def receive():
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    wait_until(receive, what=f"{count} messages")
    return found


def log(server, oid):
    path = f"{HOOKS}/{oid}/logs"
    rows = server.ultracart("GET", path + "?_limit=200").json["webhook_log_summaries"]
    return [server.ultracart("GET", f"{path}/{row['request_id']}").json["webhook_log"]
            for row in reversed(rows)]


def test_a_standard_queue_gets_bundles_as_messages(server, sqs):
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    oid = register(server, url)
    server.publish("order_create", {"n": 1}, "sqs-1")
    message, = messages(sqs, url, 1)
    assert json.loads(message["Body"]) == {"events": [{"order_create": {"n": 1}}]}
    row = wait_until(lambda: log(server, oid), what="the log")[0]
    assert (row["uri"], row["status_code"], row["success"]) == (url, 200, True)
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    assert attributes["x-ultracart-request-id"] == row["request_id"]
    assert attributes["webhook-signature"].startswith("v1,")
    assert "s3cret" not in json.dumps(row)


def test_a_fifo_queue_keeps_the_order_of_the_endpoint(server, sqs):
    attributes = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName="orders.fifo", Attributes=attributes)["QueueUrl"]
    oid = register(server, url, maximum_events=1, compress_events=True)
    server.publish_all([("order_create", {"n": n}, f"fifo-{n}") for n in range(5)])
    found = messages(sqs, url, 5)
    bodies = [gzip.decompress(base64.b64decode(message["Body"])) for message in found]
    assert [json.loads(body)["events"][0]["order_create"]["n"] for body in bodies] == list(range(5))
    assert {message["Attributes"]["MessageGroupId"] for message in found} == {str(oid)}
    ids = [message["Attributes"]["MessageDeduplicationId"] for message in found]
    wait_until(lambda: len(log(server, oid)) == 5, what="the log")
    assert ids == [row["request_id"] for row in log(server, oid)]


def test_a_queue_that_is_not_there_is_a_failure_with_its_status(server, sqs):
    url = sqs.create_queue(QueueName="gone")["QueueUrl"]
    oid = register(server, url)
    sqs.delete_queue(QueueUrl=url)
    server.publish("order_create", {"n": 1}, "gone-1")
    row = wait_until(lambda: log(server, oid), what="the log")[0]
    assert (row["status_code"], row["success"]) == (400, False)
    assert "NonExistentQueue" in row["response"] or "QueueDoesNotExist" in row["response"]
