#!/usr/bin/env python3
"""What large pages, many events and many receivers that hang cost: figures for docs/explanation/performance.md.

    benches/under_load.py target/release/hookyard [pages] [ids] [files] [retry]

Several binaries, separated by commas, are measured one after the other. Needs Python alone."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import resource
import socket
import statistics
import sys
import tempfile
import threading
import time
from urllib.parse import urlsplit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
import harness  # noqa: E402
from harness import Receiver, Server, wait_until  # noqa: E402

PAGES_EVENTS, PAGES_BYTES = 603, 1_000_000
IDS_EVENTS = int(os.environ.get("EVENTS", "2000000"))
FILES_ENDPOINTS, FILES_SOFT = 1_100, 1_024
RETRY_ENDPOINTS, RETRIES = 3_000, 5


class Client:
    """One kept connection."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)

    def call(self, method, path, body=None, kind="application/json"):
        headers = {"Content-Type": kind, "x-ultracart-simple-key": self.server.simple_key}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def publish(self, *events):
        status, body = self.call("POST", "/v1/events", json.dumps(events),
                                 "application/cloudevents-batch+json")
        assert status == 202, body


def event(id, kind="item_update", **data):
    return {"specversion": "1.0", "type": kind, "source": "/bench", "id": id, "data": data}


def resident(server):
    """The server's memory in MiB."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) >> 10


def pages(server):
    """Memory while four callers each ask for a page of large events."""
    client = Client(server)
    for number in range(PAGES_EVENTS):
        client.publish(event(f"large-{number}", text=f"{number}" + "x" * PAGES_BYTES))
    before = most = resident(server)
    path = "/v1/events?type=item_update&order=asc&limit=1000"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(Client(server).call, "GET", path) for _ in range(4)]
        while not all(call.done() for call in running):
            most = max(most, resident(server))
            time.sleep(0.005)
    statuses = {call.result()[0] for call in running}
    return f"{PAGES_EVENTS} events of 1 MB, four pages at once: {before} MiB, {most} MiB ({statuses})"


def ids(server):
    """How long it takes to find an event by its id among many."""
    def fill(part):
        client = Client(server)
        for start in range(part * 100, IDS_EVENTS, 400):
            client.publish(*(event(f"id-{n}", n=n) for n in range(start, start + 100)))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    client, took = Client(server), []
    for _ in range(200):
        n = random.randrange(IDS_EVENTS)
        began = time.perf_counter()
        status, body = client.call("GET", f"/v1/events/id-{n}")
        took.append((time.perf_counter() - began) * 1000)
        assert status == 200 and json.loads(body)["event"]["id"] == f"id-{n}", body
    took.sort()
    return (f"an event by its id among {IDS_EVENTS:,}: p50 {statistics.median(took):.2f} ms, "
            f"p99 {took[197]:.2f} ms")


def hanging(server, count):
    """So many endpoints of a type whose receiver takes connections and never answers."""
    deaf = socket.create_server(("127.0.0.1", 0), backlog=4096)
    for number in range(count):
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/{number}"
        register(server, url, "order_create")
    return deaf


def register(server, url, kind):
    body = {"webhook_url": url, "event_categories": [{"events": [{"event_name": kind}]}]}
    answer = server.ultracart("POST", "/webhook/webhooks", body)
    assert answer.status == 200, answer.body


def files(server):
    """How long a publish takes while more receivers hang than the soft limit has files."""
    deaf = hanging(server, FILES_ENDPOINTS)
    Client(server).publish(event("all", "order_create", n=0))
    time.sleep(3)  # Their requests are under way.
    took, until = [], time.monotonic() + 40

    def publisher(part):
        n = 0
        while time.monotonic() < until and n < 100:
            began = time.perf_counter()
            try:
                Client(server).publish(event(f"p{part}-{n}", n=n))
            except OSError:
                pass
            took.append((time.perf_counter() - began) * 1000)
            n += 1

    threads = [threading.Thread(target=publisher, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deaf.close()
    took.sort()
    return (f"publish while {FILES_ENDPOINTS:,} receivers hang, soft limit {FILES_SOFT:,}: "
            f"p50 {statistics.median(took):.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms "
            f"({len(took)} publishes)")


def retry(server):
    """When a healthy receiver that failed once is tried again, while many others hang."""
    deaf = hanging(server, RETRY_ENDPOINTS)
    client = Client(server)
    client.publish(event("all", "order_create", n=0))
    time.sleep(3)
    waits = []
    for number in range(RETRIES):
        with Receiver(script=[500]) as receiver:
            register(server, receiver.url, "item_update")
            client.publish(event(f"retry-{number}", n=number))
            wait_until(lambda: len(receiver.deliveries) >= 2, 120)
            waits.append(receiver.deliveries[1].at - receiver.deliveries[0].at)
            # What hung waits for its next try by now, and is given more to do.
            client.publish(event(f"all-{number}", "order_create", n=number))
    deaf.close()
    shown = ", ".join(f"{wait:.1f}" for wait in waits)
    return f"retry after one 500 while {RETRY_ENDPOINTS:,} receivers hang: {shown} s"


def main():
    binaries, wanted = sys.argv[1].split(","), sys.argv[2:]
    for measure in (pages, ids, files, retry):
        if wanted and measure.__name__ not in wanted:
            continue
        for binary in binaries:
            harness.BINARY = pathlib.Path(binary).resolve()
            limits = (FILES_SOFT, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            with tempfile.TemporaryDirectory() as directory:
                server = Server(directory, files=limits if measure is files else None).start()
                try:
                    print(f"{pathlib.Path(binary).name}: {measure(server)}", flush=True)
                finally:
                    server.process.kill()
                    server.stop()


main()
