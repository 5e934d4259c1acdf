"""Several servers on one PostgreSQL database, with a bad network between them and it."""

import json
import signal
import socket
import threading
import time

import pytest

from harness import Postgres, Receiver, Server, wait_until
from proxy import Proxy
from test_nodes import endpoint, numbers, publish, without_repeats

# The default, and what a server does not use of it.
LEASE_SECONDS, MARGIN_SECONDS = 10, 2

# For what takes a lease, a look around and a machine with other things to do.
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


class Nodes:
    """Two servers; the first reaches the database through a proxy."""

    def __init__(self, postgres, directory, *flags):
        self.proxy = Proxy(postgres.port)
        self.near = Server(directory("near"), *flags, database=postgres.database())
        url = self.near.place["HOOKYARD_DATABASE_URL"]
        far = url.replace(f":{postgres.port}/", f":{self.proxy.port}/")
        assert far != url
        self.far = Server(directory("far"), *flags, beside=self.near, database=far)
        self.far.start()
        self.near.start()

    def close(self):
        for server in (self.far, self.near):
            if server.process.poll() is None:
                server.stop(signal.SIGKILL)
        self.proxy.close()


@pytest.fixture
def nodes(postgres, tmp_path_factory):
    nodes = Nodes(postgres, tmp_path_factory.mktemp)
    yield nodes
    nodes.close()


class Stuck:
    """A receiver that does not answer its first request, and notes when its sender gave up."""

    def __init__(self):
        self.requests = []
        self.given_up = None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        while stream.readline():
            length = 0
            while (line := stream.readline().strip()):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self.requests.append((time.monotonic(), json.loads(stream.read(length))))
            if len(self.requests) == 1:
                try:
                    stream.read(1)
                except OSError:
                    pass
                self.given_up = time.monotonic()
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def numbers(self):
        return [event["order_create"]["n"] for _, body in list(self.requests)
                for event in body["events"]]


def test_a_node_that_is_cut_off_stops_before_another_takes_over(nodes):
    with Stuck() as receiver:
        endpoint(nodes.far, receiver)
        publish(nodes.far, 0, 3)
        wait_until(lambda: receiver.requests)
        silent = time.monotonic()
        nodes.proxy.swallow()
        publish(nodes.near, 3, 3)
        wait_until(lambda: len(set(receiver.numbers())) == 6, PATIENCE_SECONDS, "the takeover")
        (_, first), (taken_over, second), *_ = receiver.requests
        # Its last renewal may have been a little before; what it had under way was cut off before
        # the lease ended, and only then it was sent by the other.
        assert receiver.given_up - silent < LEASE_SECONDS - MARGIN_SECONDS + 1
        assert taken_over - receiver.given_up > MARGIN_SECONDS / 2
        assert second["events"][:3] == first["events"]
        assert receiver.numbers() == [0, 1, 2, *range(6)]

        # What it had said before it was cut off arrives now, and counts for nothing.
        nodes.proxy.heal()
        wait_until(lambda: nodes.far.http("GET", "/readyz").status == 200, PATIENCE_SECONDS)
        publish(nodes.far, 6, 3)
        wait_until(lambda: len(receiver.numbers()) >= 12, PATIENCE_SECONDS)
        assert receiver.numbers() == [0, 1, 2, *range(9)]


def event(number):
    return json.dumps({"specversion": "1.0", "type": "order_create", "source": "/s",
                       "id": f"event-{number}", "data": {"n": number}})


def faults(proxy):
    """One after another, with rests between."""
    for fault, seconds in (
        (proxy.half_close, 2),
        (proxy.cut, 3),
        (proxy.break_all, 1),
        (lambda: setattr(proxy, "delay", 0.1), 3),
        (proxy.swallow, 3),
        (proxy.cut, 12),
    ):
        time.sleep(1)
        fault()
        time.sleep(seconds)
        proxy.heal()


def test_nothing_acknowledged_is_lost_whatever_the_network_does(nodes, receiver):
    headers = {"Content-Type": "application/cloudevents+json",
               "x-ultracart-simple-key": nodes.far.simple_key}
    endpoint(nodes.far, receiver)
    network = threading.Thread(target=faults, args=(nodes.proxy,))
    network.start()
    count, refused = 0, 0
    while network.is_alive():
        answer = nodes.far.http("POST", "/v1/events", event(count), headers)
        if answer.status == 202:
            count += 1
            time.sleep(0.01)
            continue
        assert answer.status == 503, answer.body
        assert answer.header("retry-after") == ["1"]
        refused += 1
        time.sleep(0.1)
    assert refused and count > 20, (refused, count)
    publish(nodes.near, count, 1)
    wait_until(lambda: len(set(numbers(receiver))) == count + 1, PATIENCE_SECONDS)
    assert without_repeats(numbers(receiver)) == list(range(count + 1))


def test_a_node_is_heard_again_after_its_connection_broke(postgres, tmp_path_factory):
    # Looks for what was not heard of are minutes apart.
    nodes = Nodes(postgres, tmp_path_factory.mktemp, "--lease-seconds", "300")
    try:
        # It refuses for now, so whoever delivers keeps the endpoint and waits.
        with Receiver(script=[503]) as receiver:
            endpoint(nodes.near, receiver)
            nodes.proxy.break_all()
            log = nodes.far.directory / "server.log"
            wait_until(lambda: log.read_text().count("listens to the others") == 2)
            publish(nodes.near, 0, 3)
            wait_until(lambda: receiver.deliveries)
            assert nodes.near.stop() == 0
            wait_until(lambda: numbers(receiver) == [0, 1, 2] * 2, PATIENCE_SECONDS)
    finally:
        nodes.close()
