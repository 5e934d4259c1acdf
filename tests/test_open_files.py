"""A server that may open few files, and one that has no file left."""

import contextlib
import http.client
import json
import os
import pathlib
import resource
import socket
import time
from urllib.parse import urlsplit

from harness import Receiver, Server, wait_until
from test_delivery import logs, register, state


@contextlib.contextmanager
def hanging():
    """The URL of a receiver that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as deaf:
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}/hook"


def test_the_soft_limit_is_raised_and_said(tmp_path):
    server = Server(tmp_path, files=(200, 1200)).start()
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    assert (soft, hard) == (1200, 1200)
    log = (tmp_path / "server.log").read_text()
    assert "open_files=1200" in log and "552 of callers instead of 10000" in log
    assert server.stop() == 0


def test_too_few_files_are_refused_with_the_way_out(tmp_path):
    server = Server(tmp_path, files=(100, 100))
    with contextlib.suppress(AssertionError):
        server.start()
    assert server.process.wait(10) == 1
    log = (tmp_path / "server.log").read_text()
    assert "only 100 files" in log and "ulimit -n" in log


def test_many_receivers_that_hang_leave_files_for_publishers(tmp_path):
    server = Server(tmp_path, files=(256, 256)).start()
    with hanging() as url:
        oids = [register(server, f"{url}/{number}", "order_create") for number in range(150)]
        server.publish("order_create", {"n": 0}, "first")
        opened = pathlib.Path(f"/proc/{server.process.pid}/fd")
        wait_until(lambda: len(list(opened.iterdir())) > 40, what="requests under way")
        for number in range(40):
            began = time.monotonic()
            server.publish("item_update", {"n": number}, f"p{number}")
            assert server.http("GET", "/livez").status == 200
            assert time.monotonic() - began < 5, number
            assert len(list(opened.iterdir())) < 256
        for oid in oids[:50]:
            assert state(server, oid)["pending"] == 1
            assert "files" not in json.dumps(logs(server, oid)), "it is not the receiver's failure"
    log = (tmp_path / "server.log").read_text()
    assert "Too many open files" not in log, log[-2000:]
    server.stop()


def test_files_that_run_out_are_nobody_elses_failure(tmp_path):
    server = Server(tmp_path).start()
    with Receiver() as receiver:
        oids = [register(server, f"{receiver.url}/{number}", "order_create") for number in range(3)]
        publisher = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)

        def publish(number):
            event = {"specversion": "1.0", "type": "order_create", "source": "/tests",
                     "id": f"e{number}", "data": {"n": number}}
            publisher.request("POST", "/v1/events", json.dumps(event), {
                "Content-Type": "application/cloudevents+json",
                "x-ultracart-simple-key": server.simple_key})
            answer = publisher.getresponse()
            assert answer.status == 202, answer.read()
            answer.read()

        publish(0)
        wait_until(lambda: len(receiver.deliveries) == 3, what="the first deliveries")
        # Kept connections are closed by now, so that each delivery needs a new one.
        pid, limits = server.process.pid, resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        files = pathlib.Path(f"/proc/{pid}/fd")
        wait_until(lambda: established(pid, receiver) == 0, what="the end of kept connections")
        number_of_files = max(int(name) for name in os.listdir(files)) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (number_of_files, limits[1]))
        spare = [socket.create_connection(publisher.sock.getpeername())
                 for _ in range(number_of_files - len(os.listdir(files)))]
        wait_until(lambda: len(os.listdir(files)) == number_of_files, what="no file left")
        publish(1)
        log = tmp_path / "server.log"
        wait_until(lambda: "lacks the means to deliver" in log.read_text(), what="the shortage")
        assert "Too many open files" in log.read_text()
        assert len(receiver.deliveries) == 3
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for connection in spare:
            connection.close()
        wait_until(lambda: len(receiver.deliveries) == 6, seconds=40, what="the second deliveries")
        for oid in oids:
            wait_until(lambda: state(server, oid)["pending"] == 0, what="all outcomes")
            rows = logs(server, oid)
            assert [row["status_code"] for row in rows] == [200, 200], rows
        publisher.close()
    assert server.stop() == 0


def established(pid, receiver):
    """How many connections of a process lead to a receiver."""
    port = f":{receiver.http.server_port:04X}"
    inodes = set()
    for name in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(name))
    table = pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    return sum(row[2].endswith(port) and f"socket:[{row[9]}]" in inodes for row in rows)
