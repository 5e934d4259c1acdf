"""A server under test, and a receiver whose answers are scripted. The standard library only, so that
every client's environment can use it."""

import atexit
import contextlib
import functools
import http.client
import http.server
import json
import os
import pathlib
import queue
import resource
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("HOOKYARD_TEST_BINARY", ROOT / "target/debug/hookyard"))

# `postgres` has every server under test keep its data there and not in its directory.
STORE = os.environ.get("HOOKYARD_TEST_STORE", "embedded")


def environment():
    """This process's environment without settings for the server."""
    return {k: v for k, v in os.environ.items() if not k.startswith("HOOKYARD_")}


class Postgres:
    """A PostgreSQL server in a directory of its own, which goes away with this process."""

    def __init__(self, *settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            ["sh", ROOT / "tests/postgres.sh", str(self.port), *settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.directory = self._said("ready ")
        self.databases = 0

    def _said(self, start):
        line = self.process.stdout.readline()
        assert line.startswith(start), line + self.process.stdout.read()
        return line.removeprefix(start).strip()

    def _tell(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def stop(self, how="stop"):
        """Ends it in an orderly way, or by a `crash`."""
        self._tell(how)
        self._said("stopped")

    def start(self):
        self._tell("start")
        self._said("ready ")

    def sql(self, statement, database="postgres"):
        """What `psql` says to a statement, unaligned."""
        found = subprocess.run(
            [sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1], "-At",
             "-h", self.directory, "-p", str(self.port), "-U", "hookyard", "-d", database,
             "-c", statement],
            capture_output=True, text=True, timeout=30,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout.strip()

    def database(self, port=None):
        """The URL of a new database, on another port if one is given."""
        self.databases += 1
        name = f"test_{os.getpid()}_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgres://hookyard@127.0.0.1:{port or self.port}/{name}"

    def close(self):
        self.process.stdin.close()
        # Its data may be many databases.
        self.process.wait(60)


@functools.cache
def shared_postgres():
    """One server for all tests of this process."""
    server = Postgres("fsync=off", "full_page_writes=off")
    atexit.register(server.close)
    return server


def command(*args, cwd=None, env=None, timeout=30):
    """Runs the binary to its end."""
    return subprocess.run(
        [BINARY, *map(str, args)],
        cwd=cwd,
        env={**environment(), **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def wait_until(probe, seconds=15, what="it"):
    """The first true value of `probe`, asked again and again."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


@dataclass
class Answer:
    """What came back over plain HTTP."""

    status: int
    headers: list
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        """The values of a header, its name in any case."""
        return [v for k, v in self.headers if k.lower() == name.lower()]


class Server:
    """The real binary on a data directory or database of its own, or beside another server on its
    database."""

    # The soft and the hard limit on open files; None is this process's own.
    files = None

    def __init__(self, directory, *flags, ranges=("127.0.0.0/8",), database=None, beside=None,
                 files=None):
        self.directory = pathlib.Path(directory)
        self.files = files
        self.data = self.directory / "data"
        self.flags = [*flags, *(f"--allow-net={net}" for net in ranges)]
        self.process = None
        self.url = None
        if beside:
            self.place, self.credentials = beside.place, beside.credentials
            if database:
                self.place = {**self.place, "HOOKYARD_DATABASE_URL": database}
            return
        if STORE == "postgres":
            database = database or shared_postgres().database()
        self.place = {"HOOKYARD_DATA": str(self.data)}
        if database:
            self.place = {"HOOKYARD_DATABASE_URL": database, "HOOKYARD_ENCRYPTION_KEY": "5e" * 32}
        made = command("init", "--json", cwd=self.directory, env=self.place)
        assert made.returncode == 0, made.stderr
        self.credentials = json.loads(made.stdout)

    def start(self):
        self.log = open(self.directory / "server.log", "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", "127.0.0.1:0", *self.flags],
            cwd=self.directory,
            env={**environment(), **self.place},
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            preexec_fn=self.files and functools.partial(
                resource.setrlimit, resource.RLIMIT_NOFILE, self.files),
        )
        for line in self.process.stdout:
            # With --log-format json every line is an object.
            said = json.loads(line) if line.startswith("{") else {}
            if line.startswith("listening on ") or said.get("message") == "listening":
                self.url = said.get("url") or line.split()[-1]
                return self
            if line.startswith("{") and json.loads(line).get("message") == "listening":
                self.url = json.loads(line)["url"]
                return self
        raise AssertionError(f"no server: {(self.directory / 'server.log').read_text()}")

    def stop(self, number=signal.SIGTERM, seconds=20):
        """Sends a signal; the exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.log.close()

    @property
    def simple_key(self):
        return self.credentials["simple_key"]

    @property
    def pair(self):
        return {
            "X-API-KEY": self.credentials["api_key"],
            "X-API-SECRET": self.credentials["api_secret"],
        }

    def credential(self, *flags):
        """A new credential, made while the server runs."""
        made = command("credential", "create", "--json", *flags, env=self.place)
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)

    def http(self, method, path, body=None, headers=None):
        """One request with exactly these headers (and Host, Content-Length)."""
        at = urlsplit(self.url)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        if isinstance(body, str):
            body = body.encode()
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=40)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            lengths = [n for n in (headers or {}) if n.lower() == "content-length"]
            if body is not None and not lengths:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    def ultracart(self, method, path, body=None, **headers):
        """One request to the UltraCart API with the simple key."""
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        headers = {"x-ultracart-simple-key": self.simple_key, **headers}
        return self.http(method, f"/rest/v2{path}", body, headers)

    def authorization_code(self, client_id, redirect_uri):
        """An OAuth2 code, as the page gives it to a person who types a credential."""
        asked = urlencode({"client_id": client_id, "response_type": "code", "state": "s",
                           "redirect_uri": redirect_uri, "credential": self.simple_key})
        page = self.http("POST", "/rest/v2/oauth/authorize", asked,
                         {"Content-Type": "application/x-www-form-urlencoded"})
        assert page.status == 303, page.body
        return parse_qs(urlsplit(page.header("location")[0]).query)["code"][0]

    def publish(self, kind, data, id, source="/tests"):
        """Publishes one event; its receipt."""
        return self.publish_all([(kind, data, id)], source)[0]

    def publish_all(self, events, source="/tests"):
        """Publishes a batch of (type, data, id); the receipts."""
        batch = [
            {"specversion": "1.0", "type": kind, "source": source, "id": id, "data": data}
            for kind, data, id in events
        ]
        headers = {
            "Content-Type": "application/cloudevents-batch+json",
            "x-ultracart-simple-key": self.simple_key,
        }
        answer = self.http("POST", "/v1/events", json.dumps(batch), headers)
        assert answer.status == 202, answer.body
        return receipts(answer.json)


def receipts(body):
    """The receipts of an accepted publish."""
    return body["receipts"] if isinstance(body, dict) and "receipts" in body else body


@dataclass
class Delivery:
    """One request that a receiver got."""

    at: float
    path: str
    headers: http.client.HTTPMessage
    body: bytes
    method: str = "POST"

    @property
    def events(self):
        return json.loads(self.body)["events"]


@dataclass
class Receiver:
    """Records what it gets and answers as scripted: each entry of `script` is a status, or a number
    of seconds to wait as a float; 200 once the script is at its end."""

    script: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)
    deliveries: list = field(default_factory=list)

    def __enter__(self):
        receiver = self
        released = self.released = threading.Event()
        script = queue.SimpleQueue()
        for step in self.script:
            script.put(step)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                delivery = Delivery(
                    time.monotonic(), self.path, self.headers, body, self.command)
                receiver.deliveries.append(delivery)
                step = 200 if script.empty() else script.get()
                if isinstance(step, float):
                    released.wait(step)
                    step = 200
                with contextlib.suppress(ConnectionError):
                    self.send_response(step)
                    for name, value in receiver.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")

            do_PUT = do_PATCH = do_POST

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/hook"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.http.shutdown()
        self.http.server_close()

    def events(self):
        """The events of all deliveries, in order."""
        return [event for delivery in list(self.deliveries) for event in delivery.events]
