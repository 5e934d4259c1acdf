"""What a page of large things costs the server, against the real binary."""

import concurrent.futures
import json
import pathlib

import pytest

from harness import wait_until

# Events near the largest that are taken.
BYTES = 1_000_000
EVENTS = 80

# What four pages at once may add to the server's memory: far more than they need, and a third of what
# the events have together.
GROWTH_MAX = 100 << 20


def resident(server):
    """The server's memory in bytes."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


def peak(server, work):
    """What `work` returns, and the most memory that was seen meanwhile."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running, most = pool.submit(work), resident(server)
        while not running.done():
            most = max(most, resident(server))
            concurrent.futures.wait([running], timeout=0.005)
        return running.result(), max(most, resident(server))


@pytest.fixture(scope="module")
def large(server):
    """The ids of large events, in the order of the journal."""
    ids = [f"large-{number}" for number in range(EVENTS)]
    for id in ids:
        server.publish("item_update", {"text": id + "x" * BYTES}, id)
    return ids


def test_pages_of_large_events_are_bounded(server, large):
    key = {"x-ultracart-simple-key": server.simple_key}

    def four_pages():
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            path = "/v1/events?type=item_update&order=asc&limit=1000"
            asked = [pool.submit(server.http, "GET", path, headers=key) for _ in range(4)]
            return [answer.result() for answer in asked]

    before = resident(server)
    answers, most = peak(server, four_pages)
    assert {answer.status for answer in answers} == {200}
    assert most - before < GROWTH_MAX, f"{(most - before) >> 20} MiB more"

    found, next = [], "/v1/events?type=item_update&order=asc&limit=1000"
    while next:
        answer = server.http("GET", next, headers=key)
        assert len(answer.body) < 8 << 20
        page = answer.json
        found += [entry["event"]["id"] for entry in page["events"]]
        next = page.get("next")
    assert found == large
