"""Callers that come too often, too slowly or with too much, against the real binary: raw sockets, the
newest UltraCart SDK, and two servers on one database."""

import contextlib
import http.client
import json
import pathlib
import re
import resource
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from ultracart import ApiClient, Configuration
from ultracart.api.webhook_api import WebhookApi
from ultracart.exceptions import ApiException

from harness import Postgres, Server, command, wait_until

# Short, so that tests need not wait; a stall's 4 KiB in a second are slow all the same.
IMPATIENT = ("--limit-idle-seconds=4", "--limit-head-seconds=1", "--limit-stall-seconds=1",
             "--limit-connections-per-address=8")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("impatient"), *IMPATIENT).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def limited(tmp_path):
    """A server with limits that follow as arguments."""
    servers = []

    def start(*flags):
        servers.append(Server(tmp_path, *flags).start())
        return servers[-1]

    yield start
    for server in servers:
        assert server.stop() == 0


def connect(server, **options):
    at = urlsplit(server.url)
    sock = socket.socket()
    for name, value in options.items():
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    sock.settimeout(15)
    sock.connect((at.hostname, at.port))
    return sock


def rest(sock):
    """All that comes until the other side closes."""
    text = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            text += chunk
    return text


def head(method, path, *headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def served(server):
    """Other callers go on being served."""
    began = time.monotonic()
    assert server.ultracart("GET", "/webhook/webhooks").status == 200
    return time.monotonic() - began < 5


def drip(sock, text, pause=0.1, seconds=10):
    """Sends a byte at a time until the other side has enough; how long that took."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        for byte in text:
            sock.sendall(bytes([byte]))
            sock.settimeout(pause)
            with contextlib.suppress(TimeoutError):
                sock.recv(1, socket.MSG_PEEK)
                break
            assert time.monotonic() - began < seconds, "the server is too patient"
    sock.settimeout(15)
    return time.monotonic() - began


def test_a_head_that_drips_is_cut_off(impatient):
    with connect(impatient) as slow:
        took = drip(slow, head("GET", "/livez", "X-Slow: " + "x" * 1_000))
        assert rest(slow) == b"" and 0.5 < took < 9
    assert served(impatient)


def test_many_drips_at_once_keep_nobody_out(impatient):
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(connect(impatient)).sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        assert served(impatient)


@pytest.mark.parametrize("path, form", [
    ("/rest/v2/webhook/webhooks", rb'"error_code":"408"'),
    ("/v1/endpoints", rb'"code":"timeout"'),
    ("/workspaces/1/projects/1/webhooks", rb'"status_code":408'),
])
def test_a_body_that_drips_is_answered_408(impatient, path, form):
    with connect(impatient) as slow:
        keys = [f"{name}: {value}" for name, value in impatient.pair.items()]
        slow.sendall(head("POST", path, f"x-ultracart-simple-key: {impatient.simple_key}", *keys,
                          "Content-Type: application/json", "Content-Length: 100000"))
        took = drip(slow, b'{"a":"' + b"x" * 1_000)
        answer = rest(slow)
        assert answer.startswith(b"HTTP/1.1 408 ") and re.search(form, answer), answer
        assert b"\r\nConnection: close\r\n" in answer and 0.5 < took < 9
    assert served(impatient)


def test_a_body_that_moves_is_waited_for(impatient):
    body = b'{"name":"' + b" " * 30_000 + b'"}'
    with connect(impatient) as slow:
        slow.sendall(head("POST", "/rest/v2/webhook/webhooks",
                          f"x-ultracart-simple-key: {impatient.simple_key}",
                          "Content-Type: application/json", f"Content-Length: {len(body)}",
                          "Connection: close"))
        for start in range(0, len(body), 6_000):
            slow.sendall(body[start:start + 6_000])
            time.sleep(0.6)
        assert not rest(slow).startswith(b"HTTP/1.1 408 ")


def test_a_caller_that_never_reads_is_cut_off(impatient):
    with connect(impatient, SO_RCVBUF=4096) as deaf:
        deaf.settimeout(1)
        requests = head("GET", "/v1/openapi.json") * 2_000
        with contextlib.suppress(TimeoutError, ConnectionError):
            deaf.sendall(requests)

        def is_cut_off():
            try:
                deaf.send(b"x")
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            return False

        deaf.settimeout(0.2)
        wait_until(is_cut_off, what="the end of a connection that nobody reads")
        assert served(impatient)


def test_a_silent_connection_ends(impatient):
    with connect(impatient) as silent:
        began = time.monotonic()
        assert rest(silent) == b"" and 3 < time.monotonic() - began < 15
    with connect(impatient) as kept:
        kept.sendall(head("GET", "/livez"))
        assert rest(kept).startswith(b"HTTP/1.1 200 ")


def test_one_address_has_its_connections_and_no_more(impatient):
    wait_until(lambda: impatient.http("GET", "/livez").status == 200)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(impatient)) for _ in range(8)]
        for sock in held:
            sock.sendall(head("GET", "/livez"))
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        for path, form in [("/rest/v2/webhook/webhooks", b'"error_code":"429"'),
                           ("/v1/endpoints", b'"code":"too_many_requests"'),
                           ("/workspaces", b'"status_code":429')]:
            with connect(impatient) as more:
                more.sendall(head("GET", path))
                answer = rest(more)
                assert answer.startswith(b"HTTP/1.1 429 ") and form in answer, answer
                assert b"\r\nRetry-After: 1\r\n" in answer
        held[0].sendall(head("GET", "/livez"))
        assert held[0].recv(4096).startswith(b"HTTP/1.1 200 "), "those that are there go on"
        held[1].close()
        wait_until(lambda: impatient.http("GET", "/livez").status == 200)


@pytest.fixture
def many_files():
    """Room for as many sockets as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_mib(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) // 1_024


def test_whoever_only_declares_a_body_costs_little(many_files, limited):
    server = limited()
    assert served(server)
    before = resident_mib(server)
    with contextlib.ExitStack() as stack:
        for _ in range(900):
            sock = stack.enter_context(connect(server))
            sock.sendall(head("POST", "/v1/events", f"x-ultracart-simple-key: {server.simple_key}",
                              "Content-Type: application/cloudevents-batch+json",
                              f"Content-Length: {10 << 20}") + b"[")
        assert served(server)
        took = resident_mib(server) - before
    # Connections cost some 20 KiB, and a body's first byte 16 KiB.
    assert took < 120, f"{took} MiB"


def test_bodies_that_come_are_held_up_to_the_budget(many_files, limited):
    server = limited("--limit-body-bytes-total=40MiB")
    assert served(server)
    before = resident_mib(server)
    refused = 0
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            sock = stack.enter_context(connect(server))
            sock.sendall(head("POST", "/v1/events", f"x-ultracart-simple-key: {server.simple_key}",
                              "Content-Type: application/cloudevents-batch+json",
                              f"Content-Length: {10 << 20}"))
            with contextlib.suppress(ConnectionError):
                sock.sendall(b"[" + b" " * (4 << 20))
            sock.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                answer = rest(sock)
                assert answer.startswith(b"HTTP/1.1 503 ") and b'"code":"unavailable"' in answer
                assert b"\r\nRetry-After: 1\r\n" in answer
                refused += 1
        assert 30 < refused < 40, refused
        took = resident_mib(server) - before
        assert took < 80, f"{took} MiB"
    batch = {"Content-Type": "application/cloudevents-batch+json",
             "x-ultracart-simple-key": server.simple_key}
    wait_until(lambda: server.http("POST", "/v1/events", "[]", batch).status == 202)


def test_idle_connections_make_room_for_a_newcomer(many_files, limited):
    # One address, so its share does not count here.
    server = limited("--limit-connections=64", "--limit-connections-per-address=off")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(server)) for _ in range(10)]
        kept = []
        for _ in range(70):
            sock = stack.enter_context(connect(server))
            sock.sendall(head("GET", "/livez"))
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            kept.append(sock)
        assert served(server), "a newcomer is answered at once"
        for closed in (silent[0], kept[0]):
            assert rest(closed) == b"", "those that waited longest made room"
        kept[-1].sendall(head("GET", "/livez"))
        assert kept[-1].recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/rest/v2/webhook/webhooks", "/v1/endpoints", "/workspaces"])
def test_long_heads_are_refused(server, path):
    for target, headers, status in [
        (path + "?" + "x" * 17_000, {}, 414),
        (path + "?" + "x" * 40_000, {}, 414),
        (path, {"X-Large": "x" * 33_000}, 431),
        (path, {f"X-{n}": "1" for n in range(101)}, 431),
    ]:
        answer = server.http("GET", target, headers=headers)
        assert answer.status == status and str(status).encode() in answer.body, answer
    # What no API can be told of is refused all the same.
    for target, headers in [(path + "?" + "x" * 90_000, {}), (path, {"X-Large": "x" * 200_000})]:
        with connect(server) as sock:
            sock.sendall(head("GET", target, *(f"{k}: {v}" for k, v in headers.items())))
            assert rest(sock).split()[1] in (b"414", b"431")
    assert served(server)


@pytest.mark.parametrize("path, key, kind", [
    ("/rest/v2/webhook/webhooks", True, "application/json"),
    ("/v1/endpoints", True, "application/json"),
    ("/v1/events", True, "application/cloudevents+json"),
    ("/workspaces/1/projects/1/webhooks", True, "application/json"),
    ("/rest/v2/oauth/token", False, "application/x-www-form-urlencoded"),
])
def test_a_large_body_is_answered_413(server, path, key, kind):
    headers = {"Content-Type": kind, **(server.pair if key else {})}
    if key:
        headers["x-ultracart-simple-key"] = server.simple_key
    with connect(server) as sock:
        # All of it is sent before the answer is looked at, as most clients do.
        lines = [f"{name}: {value}" for name, value in headers.items()]
        sock.sendall(head("POST", path, *lines, f"Content-Length: {12 << 20}"))
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"x" * (12 << 20))
        answer = rest(sock)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:500]
    assert served(server)


def test_retry_after_is_spelled_exactly_so(limited):
    server = limited("--limit-credential-hour=2", "--limit-credential-day=1000")
    key = f"x-ultracart-simple-key: {server.simple_key}"
    answers = []
    for _ in range(3):
        with connect(server) as sock:
            sock.sendall(head("GET", "/rest/v2/webhook/webhooks", key, "Connection: close"))
            answers.append(rest(sock).decode())
    assert [answer.split()[1] for answer in answers] == ["200", "200", "429"]
    assert re.search(r"\r\nRetry-After: (1799|1800)\r\n", answers[2]), answers[2]
    for answer, left in zip(answers, (1, 0, 0)):
        assert ('\r\nRatelimit-Policy: "credential-hour";q=2;w=3600, '
                '"credential-day";q=1000;w=86400\r\n') in answer, answer
        assert re.search(rf'\r\nRatelimit: "credential-hour";r={left};t=\d+, '
                         r'"credential-day";r=99\d;t=\d+\r\n', answer), answer


def sdk(server, **settings):
    configuration = Configuration(host=f"{server.url}/rest/v2",
                                  api_key={"x-ultracart-simple-key": server.simple_key})
    for name, value in settings.items():
        setattr(configuration, name, value)
    return WebhookApi(ApiClient(configuration=configuration))


def test_25_the_sdk_is_told_when_to_come_again(limited):
    server = limited("--limit-credential-hour=3")
    client = sdk(server, retries=False)
    for _ in range(3):
        client.get_webhooks()
    with pytest.raises(ApiException) as refused:
        client.get_webhooks()
    assert refused.value.status == 429
    assert "rate of 3 per 3600 second(s) exceeded." in str(refused.value.body)
    names = {name: value for name, value in refused.value.headers.items()}
    assert 1 <= int(names["Retry-After"]) <= 1_200
    assert names["Uc-Rest-Error"] == "rate of 3 per 3600 second(s) exceeded."


def test_25_the_sdk_comes_again_by_itself(limited):
    # Left to itself it sleeps for as long as Retry-After says, three times at most.
    server = limited("--limit-credential-hour=1200")
    at = urlsplit(server.url)
    kept = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
    with contextlib.closing(kept):
        while True:
            kept.request("GET", "/rest/v2/webhook/webhooks?_limit=1",
                         headers={"x-ultracart-simple-key": server.simple_key})
            answer = kept.getresponse()
            answer.read()
            if answer.status == 429:
                break
            assert answer.status == 200
    assert 1 <= int(answer.getheader("Retry-After")) <= 4
    began = time.monotonic()
    sdk(server).get_webhooks()
    assert time.monotonic() - began >= 0.5


def test_a_limit_outlives_a_restart(limited, tmp_path):
    server = limited("--limit-credential-hour=10")
    codes = [server.ultracart("GET", "/webhook/webhooks").status for _ in range(11)]
    assert codes == [200] * 10 + [429]
    assert server.stop() == 0
    server.start()
    assert server.ultracart("GET", "/webhook/webhooks").status == 429


@pytest.mark.parametrize("limit", [5, 60, 1_000])
def test_two_servers_share_a_limit(tmp_path_factory, limit):
    postgres = Postgres("fsync=off")
    servers = []
    try:
        flag = f"--limit-credential-hour={limit}"
        directories = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
        first = Server(directories[0], flag, database=postgres.database())
        second = Server(directories[1], flag, beside=first)
        servers = [first.start(), second.start()]
        through = []

        def burst(server):
            for _ in range(limit):
                if server.ultracart("GET", "/webhook/webhooks").status == 200:
                    through.append(server)

        # At both at once, from several callers each.
        tasks = [threading.Thread(target=burst, args=(server,)) for server in servers * 2]
        began = time.monotonic()
        for task in tasks:
            task.start()
        for task in tasks:
            task.join()
        leaked = limit * (time.monotonic() - began + 1) / 3_600
        assert limit * 0.9 <= len(through) <= limit * 1.05 + leaked + 1, len(through)
        assert limit == 5 or all(server in through for server in servers)
    finally:
        for server in servers:
            server.stop()
        postgres.close()


def raw(server, text):
    """The status of what answers these bytes, and all that came back."""
    at = urlsplit(server.url)
    with socket.create_connection((at.hostname, at.port), timeout=10) as connection:
        connection.sendall(text.encode("latin-1"))
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    answer = b"".join(parts).decode("latin-1")
    return int(answer.split(" ", 2)[1]), answer


@pytest.mark.parametrize("path, form", [
    ("/v1/endpoints", '"code":"'), ("/rest/v2/webhook/webhooks", "developer_message"),
    ("/workspaces/1/projects/1/webhooks", '"status_code"'), ("/webhook/data/x", '"status_code"'),
])
def test_what_two_readers_may_read_differently_is_refused(server, path, form):
    end = "Connection: close\r\n\r\n"
    for status, head in (
        (400, f"POST {path} HTTP/1.1\r\nContent-Length: 0\r\n"),
        (400, f"POST {path} HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: 0\r\n"),
        (400, f"POST {path} HTTP/1.1\r\nHost: a, b\r\nContent-Length: 0\r\n"),
        (400, f"POST {path} HTTP/1.0\r\nHost: a\r\nHost: b\r\n"),
        (501, f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n"),
        (501, f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n"
              "Transfer-Encoding: chunked\r\n"),
    ):
        found, answer = raw(server, head + end)
        assert found == status and form in answer, (head, answer)
        assert "X-Request-Id: " in answer and "\r\nConnection: close" in answer, answer
    # What is no head at all has no form: the connection ends with a bare 400.
    for text in (
        f"POST {path} HTTP/1.1\nHost: a\r\n{end}",
        f"POST {path} HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n{end}",
        f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\n",
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        f"Transfer-Encoding: chunked\r\n{end}0\r\n\r\n",
    ):
        found, answer = raw(server, text)
        assert found == 400 and answer.count("HTTP/1.1 ") == 1, (text, answer)
    assert raw(server, f"GET /livez HTTP/1.0\r\n{end}")[0] == 200


def test_a_request_behind_another_is_looked_at_too(server):
    first = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    posted = "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\n\n\n\n"
    chunked = ("POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               "2\r\n\n\n\r\n0\r\n\r\n")
    for before in (first, first + posted + first, first + chunked + first):
        last = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        _, answer = raw(server, before + last)
        assert answer.count("HTTP/1.1 200") == before.count("GET") + 1, answer
        _, answer = raw(server, before + last.replace("Host: a\r\n", "Host: a\n"))
        assert answer.count("HTTP/1.1 200") == before.count("GET"), answer
        assert "HTTP/1.1 400" in answer, answer


def test_quotas_have_defaults_and_a_workspaces_own_goes_before(limited):
    server = limited("--default-quota=endpoints=1,journal-bytes=3KiB")
    key = {"x-ultracart-simple-key": server.simple_key}

    def made():
        body = {"url": "http://127.0.0.1:9/hook"}
        return server.http("POST", "/v1/endpoints", body, key).status

    def published(number, size=500):
        event = {"specversion": "1.0", "id": f"e{number}", "source": "/s", "type": "order_create",
                 "data": {"text": "x" * size}}
        headers = {**key, "Content-Type": "application/cloudevents+json"}
        return server.http("POST", "/v1/events", json.dumps(event), headers)

    def quota(*flags):
        done = command("workspace", "quota", "--json", *flags, env=server.place)
        assert done.returncode == 0, done.stderr
        return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}

    assert [made(), made()] == [201, 409]
    assert quota()["endpoints"] == {"name": "endpoints", "limit": None, "default": True, "used": 1}
    answers = [published(number) for number in range(10)]
    taken = [answer.status for answer in answers].count(202)
    assert taken in (4, 5, 6) and answers[-1].status == 409, [answer.status for answer in answers]
    assert answers[-1].json["field"] == "journal_bytes"
    shown = server.http("GET", "/v1/workspace/quotas", headers=key).json["journal_bytes"]
    assert shown["limit"] == 3072 and 2_500 < shown["used"] < 5_000, shown

    quota("--quota-endpoints=2", "--quota-journal-bytes=off")
    wait_until(lambda: published(100).status == 202, what="the workspace's own quota")
    assert [made(), made()] == [201, 409]
    assert quota("--quota-endpoints=default")["endpoints"]["default"]
    assert made() == 409
