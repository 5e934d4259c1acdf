"""Load on a server while something fails under it, and the account of it afterwards: what was acknowledged,
what came of it at receivers, and how soon all went on."""

import collections
import contextlib
import http.client
import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from harness import STORE, Receiver, wait_until

KIND = "order_create"

# How long a fault lasts: long enough for outcomes that cannot be recorded, and for a retry to fall due.
SECONDS = float(os.environ.get("HOOKYARD_FAULT_SECONDS", "5"))

# How often a server is killed, or its power is cut.
TRIES = int(os.environ.get("HOOKYARD_FAULT_TRIES", "3"))

# Keys that the events of lanes share.
CUSTOMERS = 7

# How long a receiver is left alone after its first failures: the shortest wait that jitter allows.
FIRST_WAIT_SECONDS = 4

# How often the endpoint that fails does so, before it takes everything.
FAILURES = 2


@dataclass
class Endpoint:
    """A receiver, and the endpoint that sends to it."""

    name: str
    receiver: Receiver
    number: int
    # Whether the order of the journal holds for events of the same customer only.
    by_customer: bool = False
    # The ids of the events of the first `read` deliveries.
    known: set = field(default_factory=set)
    read: int = 0

    def ids(self):
        """The ids of all events that came."""
        deliveries = self.receiver.deliveries[self.read:]
        self.read += len(deliveries)
        for delivery in deliveries:
            self.known.update(f"e{event[KIND]['n']}" for event in delivery.events)
        return self.known


@dataclass
class Account:
    """What became of the events, over all endpoints."""

    tries: int
    refused: int
    acknowledged: int
    journal: int
    lost: int = 0
    out_of_order: int = 0
    # Deliveries of an event beyond its first, and those of them under another `webhook-id`.
    repeated: int = 0
    new_ids: int = 0
    # What each endpoint repeated at most, and how soon a receiver was tried again that had just failed.
    most_repeated: dict = field(default_factory=dict)
    publishing_again: float | None = None
    delivered_again: float | None = None

    def row(self, fault, store):
        """A row of the table in docs/explanation/reliability.md."""
        seconds = [f"{value:.1f}" if value is not None else "" for value in
                   (self.publishing_again, self.delivered_again)]
        cells = [fault, store, self.tries, self.refused, self.acknowledged, self.lost,
                 self.out_of_order, self.repeated, self.new_ids, *seconds]
        return "| " + " | ".join(map(str, cells)) + " |"


class Load:
    """Publishers that try each event until it is acknowledged, as they are told to, and four endpoints:
    one takes single events, one bundles, one four bundles at a time, and one fails at first."""

    def __init__(self, servers, *, size=500, publishers=4, pause=0.05):
        # Either one server or several on one database; a server's URL may change at a new start.
        self.servers, self.size, self.pause = servers, size, pause
        self.publishers = publishers
        self.endpoints = []
        self.acknowledged = set()
        self.tries = collections.Counter()
        self.last_acknowledged = 0.0
        self.first_refused = None
        self._ended = threading.Event()
        self._threads = []
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self._add("single", maximum_events=1)
        self._add("bundles", maximum_events=10)
        self._add("lanes", maximum_events=2)
        key = {"x-ultracart-simple-key": self.servers[0].simple_key}
        options = {"concurrency": 4, "order_key": "customer"}
        lanes = self.endpoints[-1]
        lanes.by_customer = True
        answer = self.servers[0].http("PATCH", f"/v1/endpoints/{lanes.number}", options, key)
        assert answer.status == 200, answer.body
        self._add("failing", script=[500] * FAILURES, maximum_events=10)
        for publisher in range(self.publishers):
            thread = threading.Thread(target=self._publish, args=(publisher,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._stack.close()

    def _add(self, name, script=(), **fields):
        receiver = self._stack.enter_context(Receiver(script=list(script)))
        body = {"webhook_url": receiver.url,
                "event_categories": [{"events": [{"event_name": KIND}]}], **fields}
        answer = self.servers[0].ultracart("POST", "/webhook/webhooks", body)
        assert answer.status == 200, answer.body
        number = answer.json["webhook"]["webhook_oid"]
        self.endpoints.append(Endpoint(name, receiver, number))

    def _publish(self, publisher):
        server = self.servers[publisher % len(self.servers)]
        number, connection = 0, None
        while not self._ended.is_set():
            n = publisher + number * self.publishers
            id = f"e{n}"
            data = {"n": n, "customer": n % CUSTOMERS, "text": "x" * self.size}
            event = {"specversion": "1.0", "type": KIND, "source": "/load", "id": id, "data": data}
            headers = {"Content-Type": "application/cloudevents+json",
                       "x-ultracart-simple-key": server.simple_key}
            try:
                # A new start has another port.
                netloc = urlsplit(server.url).netloc
                if not connection or connection.netloc != netloc:
                    connection = http.client.HTTPConnection(netloc, timeout=40)
                    connection.netloc = netloc
                connection.request("POST", "/v1/events", json.dumps(event), headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                if connection:
                    connection.close()
                connection, status = None, "none"
            self.tries[status] += 1
            if status == 202:
                self.acknowledged.add(id)
                self.last_acknowledged = time.monotonic()
                number += 1
                self._ended.wait(self.pause)
            else:
                assert status in (503, "none"), (status, answer)
                self.first_refused = self.first_refused or time.monotonic()
                self._ended.wait(0.05)

    @property
    def refused(self):
        return sum(count for status, count in self.tries.items() if status != 202)

    def goes_on(self, more=40, seconds=60):
        """Waits until so many more events are acknowledged."""
        before = len(self.acknowledged)
        wait_until(lambda: len(self.acknowledged) >= before + more, seconds, "acknowledged events")

    def recovery(self, seconds=120):
        """Seconds from now, the end of a fault, until an event is acknowledged again, and until a receiver
        gets something again."""
        began, acknowledged = time.monotonic(), len(self.acknowledged)
        requests = lambda: sum(len(e.receiver.deliveries) for e in self.endpoints)
        before, times = requests(), [None, None]

        def both():
            for n, there in enumerate([len(self.acknowledged) > acknowledged, requests() > before]):
                if there and times[n] is None:
                    times[n] = time.monotonic() - began
            return None not in times

        wait_until(both, seconds, "acknowledged events and deliveries after the fault")
        return times

    def account(self, seconds=60):
        """Lets the publishers come to their end, waits for all deliveries and adds up."""
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        journal = self._journal()
        assert len(journal) == len(set(journal)), "an event is in the journal twice"
        wanted = set(journal)
        # What does not come is counted as lost, once nothing has come for so long.
        came, until = -1, 0.0
        while time.monotonic() < until or came < self._taken():
            if came < (now := self._taken()):
                came, until = now, time.monotonic() + seconds
            if all(wanted <= endpoint.ids() for endpoint in self.endpoints) and self._settled():
                break
            time.sleep(0.1)
        account = Account(tries=self.tries.total(), refused=self.refused,
                          acknowledged=len(self.acknowledged), journal=len(journal))
        account.lost = len(self.acknowledged - wanted)
        for endpoint in self.endpoints:
            self._add_up(account, endpoint, journal)
        return account

    def _taken(self):
        """How many requests all receivers have got."""
        return sum(len(endpoint.receiver.deliveries) for endpoint in self.endpoints)

    def _settled(self):
        server = self.servers[0]
        hooks = server.ultracart("GET", "/webhook/webhooks?_limit=200").json["webhooks"]
        return all(hook["pending"] == 0 for hook in hooks)

    def _journal(self):
        """The ids of all events, in the order of the journal."""
        server = self.servers[0]
        key = {"x-ultracart-simple-key": server.simple_key}
        found, next = [], f"/v1/events?type={KIND}&order=asc&limit=1000"
        while next:
            answer = server.http("GET", next, headers=key)
            assert answer.status == 200, answer.body
            found += [entry["event"]["id"] for entry in answer.json["events"]]
            next = answer.json.get("next")
        return found

    def _add_up(self, account, endpoint, journal):
        first, names, repeated = [], {}, 0
        taken = list(endpoint.receiver.deliveries)
        if endpoint.name == "failing":
            taken = taken[FAILURES:]
        for delivery in taken:
            name = delivery.headers["webhook-id"]
            for event in delivery.events:
                n = event[KIND]["n"]
                if n in names:
                    repeated += 1
                    account.new_ids += name != names[n]
                    print(f"{endpoint.name}: e{n} came as {names[n]}, and again as {name} in request",
                          delivery.headers["x-ultracart-request-id"])
                else:
                    first.append(n)
                names[n] = name
        account.repeated += repeated
        account.most_repeated[endpoint.name] = repeated
        order = {int(id[1:]): place for place, id in enumerate(journal)}
        account.lost += len(order.keys() - names.keys())
        assert not names.keys() - order.keys(), "delivered without being in the journal"
        last = {}
        for n in first:
            key = n % CUSTOMERS if endpoint.by_customer else None
            account.out_of_order += order[n] < last.get(key, -1)
            last[key] = max(last.get(key, -1), order[n])

    def check_waits(self):
        """What had failed was left alone, whatever was published meanwhile; it came again as it was."""
        failing = self.endpoints[-1].receiver.deliveries[:FAILURES + 1]
        assert len(failing) == FAILURES + 1
        for before, after in zip(failing, failing[1:]):
            assert after.at - before.at > FIRST_WAIT_SECONDS * 0.9
            assert after.headers["webhook-id"] == before.headers["webhook-id"]
            assert after.body == before.body


def report(account, fault, store=STORE):
    """Prints a row of the table, and adds it to the file that HOOKYARD_FAULTS_REPORT names."""
    row = account.row(fault, store)
    print(row, account.most_repeated, account)
    if path := os.environ.get("HOOKYARD_FAULTS_REPORT"):
        with open(path, "a") as file:
            file.write(row + "\n")


def lasts(seconds=SECONDS):
    """A fault goes on for its time."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, seconds + 10)


def nothing_went_wrong(account, repeats=0):
    """Nothing is lost or out of order; no endpoint got more events again than it may."""
    assert account.lost == 0 and account.out_of_order == 0, account
    assert max(account.most_repeated.values()) <= repeats, account


def under_load(servers, what, fault, *, repeats=lambda _: 0, seconds=SECONDS, store=STORE):
    """A fault under load, the end of it, and the account. `fault` is a context manager of the load, and
    `repeats` tells from how long the fault really lasted how many events an endpoint may get again."""
    with Load(servers) as load:
        load.goes_on()
        began = time.monotonic()
        with fault(load):
            lasts(seconds)
        lasted = time.monotonic() - began
        times = load.recovery()
        load.goes_on()
        wait_until(lambda: len(load.endpoints[-1].receiver.deliveries) > FAILURES, 60)
        account = load.account()
        account.publishing_again, account.delivered_again = times
        report(account, what, store)
        nothing_went_wrong(account, repeats(lasted))
        load.check_waits()
        return account


def in_flight(kills):
    """How many events may come again for an endpoint after so many kills: four bundles of at most ten."""
    return kills * 40


@contextlib.contextmanager
def small_disk(directory, mib):
    """A file system of its own with so much room, where this process may mount."""
    directory.mkdir(exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "small", directory],
                          capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {made.stderr}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@contextlib.contextmanager
def filled(directory):
    """No byte of room in a directory's file system."""
    filler = directory / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with open(filler, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x")
    try:
        yield
    finally:
        filler.unlink()
