"""A disk that hangs, is full or fails, and a file that somebody else changed, under the embedded store.

A small library before the C library's calls makes the disk fail (disk/faulty.c)."""

import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest

from harness import Server, command, wait_until

pytestmark = pytest.mark.embedded("PostgreSQL has its own disk")

# How long the server waits for a disk, and what a busy machine takes beyond it.
PATIENCE, SLACK = 10, 15


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")
    library = tmp_path_factory.mktemp("library") / "faulty.so"
    source = pathlib.Path(__file__).parent / "disk/faulty.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


class Disk:
    """What is wrong with the disk of a server."""

    def __init__(self, directory, data, library):
        self.faults = directory / "faults"
        self.faults.mkdir()
        self.env = {"LD_PRELOAD": str(library), "FAULTY_DISK": str(self.faults),
                    "FAULTY_DATA": str(data)}

    @contextlib.contextmanager
    def fails(self, how):
        fault = self.faults / how
        fault.touch()
        try:
            yield
        finally:
            fault.unlink()


@pytest.fixture
def served(tmp_path, library):
    """A server, and its disk."""
    server = Server(tmp_path)
    disk = Disk(tmp_path, server.data, library)
    server.place = {**server.place, **disk.env}
    server.start()
    yield server, disk
    assert server.stop(seconds=60) == 0, (tmp_path / "server.log").read_text()


def publish(server, id, size=10):
    """Publishes an event; the answer."""
    event = {"specversion": "1.0", "type": "order_create", "source": "/tests", "id": id,
             "data": {"text": "x" * size}}
    headers = {"Content-Type": "application/cloudevents+json",
               "x-ultracart-simple-key": server.simple_key}
    return server.http("POST", "/v1/events", json.dumps(event), headers)


def ready(server):
    return server.http("GET", "/readyz")


def events(server):
    """The ids of all events, as the file has them."""
    with contextlib.closing(sqlite3.connect(server.data / "hookyard.db")) as file:
        return [id for id, in file.execute("SELECT event_id FROM journal ORDER BY seq")]


def test_a_stuck_disk_is_said_after_ten_seconds_and_nothing_else_hangs(served):
    server, disk = served
    assert publish(server, "before").status == 202
    with disk.fails("hang"), concurrent.futures.ThreadPoolExecutor(8) as callers:
        began = time.monotonic()
        asked = [callers.submit(publish, server, f"stuck-{n}") for n in range(3)]
        asked.append(callers.submit(ready, server))
        for answer in [call.result() for call in asked]:
            assert answer.status == 503, answer.body
            assert answer.header("retry-after")
            assert "10 seconds" in answer.json["detail"]
        assert PATIENCE - 2 < time.monotonic() - began < PATIENCE + SLACK
        assert "not known" in asked[0].result().json["detail"]
        # From now on nobody waits.
        began = time.monotonic()
        refused = publish(server, "refused")
        assert refused.status == 503 and "nothing was written" in refused.json["detail"]
        assert ready(server).status == 503
        assert server.http("GET", "/livez").status == 200
        assert time.monotonic() - began < PATIENCE / 2
    wait_until(lambda: ready(server).status == 200, 30)
    for n in range(3):
        assert publish(server, f"stuck-{n}").status == 202
    assert sorted(events(server)) == ["before", "stuck-0", "stuck-1", "stuck-2"]


def test_a_full_disk_is_no_ready_disk_and_loses_nothing(served):
    server, disk = served
    acknowledged = ["first"]
    assert publish(server, "first").status == 202
    with disk.fails("full"):
        # Small events may still find room in what the file has already; readiness says no before.
        assert wait_until(lambda: ready(server).status == 503, 10)
        for n in range(400):
            answer = publish(server, f"full-{n}", 5000)
            assert answer.status in (202, 503), answer.body
            if answer.status == 202:
                acknowledged.append(f"full-{n}")
        assert answer.status == 503
        assert ready(server).status == 503
    wait_until(lambda: ready(server).status == 200, 10)
    assert publish(server, "last").status == 202
    found = events(server)
    assert len(found) == len(set(found))
    assert set(acknowledged) | {"last"} <= set(found)


def test_a_log_that_cannot_be_copied_is_said(served):
    server, disk = served
    with disk.fails("copy"):
        assert publish(server, "one", 100_000).status == 202, "publishing goes on"
        answer = wait_until(lambda: (a := ready(server)).status == 503 and a, 60)
        assert "write-ahead log" in answer.json["detail"]
    wait_until(lambda: ready(server).status == 200, 30)


def test_asking_for_readiness_costs_a_transaction_a_second(served):
    server, _ = served
    log = server.data / "hookyard.db-wal"
    ready(server)
    before, began = log.stat().st_mtime_ns, time.monotonic()
    changes, asked = 0, 0
    while time.monotonic() - began < 3:
        assert ready(server).status == 200
        asked += 1
        after = log.stat().st_mtime_ns
        changes, before = changes + (after != before), after
    assert asked > 20 and changes <= 6, (asked, changes)


def test_a_lock_held_by_another_process_is_waited_for_and_then_said(served):
    server, _ = served
    assert publish(server, "before").status == 202
    with contextlib.closing(sqlite3.connect(server.data / "hookyard.db", timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        with concurrent.futures.ThreadPoolExecutor(20) as callers:
            asked = [callers.submit(publish, server, f"n-{n}") for n in range(20)]
            for answer in [call.result() for call in asked]:
                assert answer.status == 503, answer.body
                assert "locked" in answer.json["detail"]
                assert "nothing was written" in answer.json["detail"]
        other.execute("ROLLBACK")
    for n in range(20):
        assert publish(server, f"n-{n}").json["duplicate"] is False
    assert sorted(events(server)) == sorted(["before", *(f"n-{n}" for n in range(20))])


def test_a_file_that_is_not_what_the_server_knows_ends_it_and_a_start_goes_on(tmp_path):
    server = Server(tmp_path).start()
    assert publish(server, "one").status == 202
    with contextlib.closing(sqlite3.connect(server.data / "hookyard.db", timeout=30)) as other:
        # As a lost transaction of the server's own would leave it.
        other.execute("INSERT INTO journal SELECT max(seq) + 1, workspace_id, type_id, accepted_ms, "
                      "'ghost', source, attributes, object, matched, NULL FROM journal")
        other.commit()
    answers = []

    def go_on():
        while server.process.poll() is None:
            with contextlib.suppress(OSError, Exception):
                answers.append(publish(server, f"n-{len(answers)}").status)

    publisher = threading.Thread(target=go_on)
    publisher.start()
    assert server.process.wait(30) == 1
    publisher.join(60)
    server.process.stdout.close()
    server.log.close()
    log = (tmp_path / "server.log").read_text()
    assert "the file ends at 2, memory at 1" in log
    assert log.rstrip().splitlines()[-1].startswith("error: the store has failed")
    assert answers and set(answers) <= {500, 503}
    server.start()
    assert publish(server, "after").status == 202
    assert ready(server).status == 200
    assert events(server) == ["one", "ghost", "after"]
    assert server.stop() == 0


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_database_that_is_taken_away_from_a_server_ends_it(tmp_path, how):
    server = Server(tmp_path).start()
    assert publish(server, "one").status == 202
    database = server.data / "hookyard.db"
    database.rename(tmp_path / "elsewhere")
    if how == "replaced":
        shutil.copy(tmp_path / "elsewhere", database)
    refused = publish(server, "two")
    assert refused.status == 503 and f"was {how}" in refused.json["detail"]
    assert server.process.wait(30) == 1
    server.process.stdout.close()
    server.log.close()
    assert f"was {how}" in (tmp_path / "server.log").read_text()


def test_init_on_a_full_disk_leaves_no_key(tmp_path, library):
    data = tmp_path / "data"
    disk = Disk(tmp_path, data, library)
    with disk.fails("full"):
        failed = command("init", "--data", data, env=disk.env)
        assert failed.returncode == 1 and "No space left" in failed.stderr
        assert [file.name for file in data.iterdir() if "key" in file.name] == []
    made = command("init", "--data", data, env=disk.env)
    assert made.returncode == 0, made.stderr
    assert "key" in [file.name for file in data.iterdir()]
