"""Several servers on one PostgreSQL database."""

import collections
import json
import signal
import threading

import pytest

from harness import Postgres, Receiver, Server, command, wait_until

# A killed server's endpoints move within its lease of 10 seconds and a look for the dead every 2.
TAKEN_OVER_SECONDS = 20


@pytest.fixture(scope="module")
def postgres():
    # As it is used: what was committed is on the disk.
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def nodes(postgres, tmp_path_factory):
    """Two servers."""
    first = Server(tmp_path_factory.mktemp("first"), database=postgres.database())
    second = Server(tmp_path_factory.mktemp("second"), beside=first)
    servers = [first.start(), second.start()]
    yield servers
    for server in servers:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGCONT)
            server.stop(signal.SIGKILL)


def endpoint(server, receiver):
    """Registers an endpoint for order_create; its number."""
    answer = server.ultracart("POST", "/webhook/webhooks", {
        "webhook_url": receiver.url, "maximum_events": 10,
        "event_categories": [{"events": [{"event_name": "order_create"}]}],
    })
    assert answer.status == 200, answer.body
    return answer.json["webhook"]["webhook_oid"]


def numbers(receiver):
    """What was received, in the order of the requests."""
    return [event["order_create"]["n"] for event in receiver.events()]


def publish(server, start, count):
    server.publish_all(
        [("order_create", {"n": n}, f"event-{n}") for n in range(start, start + count)]
    )


def without_repeats(found):
    seen = []
    for number in found:
        if number not in seen:
            seen.append(number)
    return seen


def test_a_change_on_one_node_is_in_effect_on_the_other(nodes, receiver):
    first, second = nodes
    endpoint(first, receiver)
    publish(second, 0, 5)
    wait_until(lambda: len(numbers(receiver)) == 5)
    publish(first, 5, 5)
    publish(second, 10, 5)
    wait_until(lambda: len(numbers(receiver)) == 15)
    assert numbers(receiver) == list(range(15))


def test_a_credential_that_is_disabled_on_one_node_is_so_on_the_other_at_once(nodes):
    first, second = nodes
    made = first.credential("--scope", "webhook_read")
    key = {"x-ultracart-simple-key": made["simple_key"]}

    def status(server):
        return server.http("GET", "/v1/endpoints", headers=key).status

    for disabled, expected in [(True, 410), (False, 200)]:
        # What was found just now would be believed for five seconds.
        before = [status(first), status(second)]
        assert before == ([200, 200] if disabled else [410, 410])
        changed = first.http("PATCH", f"/v1/credentials/{made['credential_id']}",
                             {"disabled": disabled}, {"x-ultracart-simple-key": first.simple_key})
        assert changed.status == 200, changed.body
        assert status(first) == expected
        wait_until(lambda: status(second) == expected, seconds=3, what="the other node's word")


def test_a_repeat_is_recognised_on_the_other_node(nodes):
    first, second = nodes
    one = first.publish("order_create", {"n": 1}, "same")
    two = second.publish("order_create", {"n": 1}, "same")
    assert (one["duplicate"], two["duplicate"]) == (False, True)
    assert one["seq"] == two["seq"]


def test_a_killed_node_is_replaced_and_nothing_is_lost(nodes, receiver):
    first, second = nodes
    endpoint(first, receiver)
    count = 0
    for _ in range(10):
        publish(first, count, 20)
        count += 20
    first.stop(signal.SIGKILL)
    publish(second, count, 20)
    count += 20
    wait_until(lambda: len(set(numbers(receiver))) == count, TAKEN_OVER_SECONDS, "the takeover")
    assert without_repeats(numbers(receiver)) == list(range(count))


def test_several_bundles_at_a_time_come_once(tmp_path):
    """Events that are queued while an outcome is recorded are not sent twice."""
    # A commit takes long enough for what was committed meanwhile to be read and sent, and the receiver
    # long enough for that to be in flight when the commit is answered.
    postgres = Postgres("commit_delay=40000", "commit_siblings=0")
    with Receiver(script=[0.05] * 5_000) as receiver:
        server = Server(tmp_path, database=postgres.database()).start()
        try:
            several_bundles_come_once(server, receiver)
        finally:
            server.stop()
            postgres.close()


def several_bundles_come_once(server, receiver):
    number = endpoint(server, receiver)
    key = {"x-ultracart-simple-key": server.simple_key}
    options = {"concurrency": 4, "order_key": "customer"}
    answer = server.http("PATCH", f"/v1/endpoints/{number}", options, key)
    assert answer.status == 200, answer.body
    publishers, each = 3, 250

    def run(publisher):
        for n in range(publisher * each, (publisher + 1) * each):
            server.publish("order_create", {"n": n, "customer": n % 7}, f"event-{n}")

    threads = [threading.Thread(target=run, args=(n,)) for n in range(publishers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(set(numbers(receiver))) == publishers * each, 60, "all events")
    counted = collections.Counter(numbers(receiver))
    repeated = {n: count for n, count in counted.items() if count > 1}
    assert not repeated, f"{len(repeated)} of {publishers * each} came again"


def test_a_node_that_stops_gives_its_endpoints_back(nodes):
    first, second = nodes
    # It refuses for now, so whoever delivers keeps the endpoint and waits.
    with Receiver(script=[503]) as receiver:
        endpoint(first, receiver)
        publish(first, 0, 3)
        wait_until(lambda: receiver.deliveries)
        assert first.stop() == 0
        wait_until(lambda: numbers(receiver) == [0, 1, 2] * 2)
        publish(second, 3, 1)
        wait_until(lambda: numbers(receiver) == [0, 1, 2] * 2 + [3])


def test_a_node_that_was_frozen_does_not_go_on_where_it_was(nodes):
    first, second = nodes
    with Receiver(script=[503]) as receiver:
        endpoint(first, receiver)
        publish(first, 0, 3)
        wait_until(lambda: receiver.deliveries)
        first.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: numbers(receiver) == [0, 1, 2] * 2, TAKEN_OVER_SECONDS, "the takeover")
        publish(second, 3, 3)
        wait_until(lambda: len(numbers(receiver)) == 9)
        first.process.send_signal(signal.SIGCONT)
        publish(first, 6, 3)
        wait_until(lambda: len(numbers(receiver)) == 12)
        assert numbers(receiver) == [0, 1, 2, *range(9)]


def test_the_database_restarts(nodes, postgres, receiver):
    first, second = nodes
    endpoint(first, receiver)
    publish(first, 0, 10)
    wait_until(lambda: len(set(numbers(receiver))) == 10)
    postgres.stop()
    event = {"specversion": "1.0", "type": "order_create", "source": "/s", "id": "x", "data": {"n": 1}}
    answer = first.http("POST", "/v1/events", json.dumps(event), {
        "Content-Type": "application/cloudevents+json", "x-ultracart-simple-key": first.simple_key,
    })
    assert answer.status == 503, answer.body
    assert answer.header("retry-after") == ["1"]
    postgres.start()

    def accepted():
        answer = second.http("GET", "/readyz")
        return answer.status == 200
    wait_until(accepted)
    publish(second, 10, 10)
    wait_until(lambda: len(set(numbers(receiver))) == 20, TAKEN_OVER_SECONDS)
    assert without_repeats(numbers(receiver)) == list(range(20))


def test_the_key_is_rotated_while_no_server_runs(postgres, tmp_path):
    server = Server(tmp_path, database=postgres.database()).start()
    made = server.ultracart("POST", "/webhook/webhooks", {
        "webhook_url": "https://x.test/h", "authentication_type": "basic",
        "basic_username": "u", "basic_password": "the-canary"})
    assert made.status == 200, made.body

    def rotate(*flags):
        return command("key", "rotate", *flags, env=server.place, cwd=tmp_path)

    to = ("--new-encryption-key-file", "new.key")
    assert "stop them first" in rotate(*to).stderr
    assert server.stop() == 0
    assert "--new-encryption-key-file" in rotate().stderr
    done = rotate(*to)
    assert done.returncode == 0 and "1 secrets" in done.stdout, done.stderr
    old = command("credential", "list", env=server.place)
    assert old.returncode == 1 and "the encryption key is not the one" in old.stderr
    server.place["HOOKYARD_ENCRYPTION_KEY"] = (tmp_path / "new.key").read_text().strip()
    server.start()
    hooks = server.ultracart("GET", "/webhook/webhooks").json["webhooks"]
    assert hooks[0]["basic_password"] == "the-canary"
    assert server.stop() == 0
