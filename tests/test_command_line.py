"""The command line, the configuration and the life of a process."""

import contextlib
import json
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from urllib.parse import urlencode

import pytest

from harness import BINARY, STORE, Receiver, Server, command, environment, shared_postgres, wait_until


def test_init_prints_one_object(tmp_path):
    made = command("init", "--data", tmp_path / "d", "--merchant", "SHOP", "--workspace-id", 7,
                   "--project-id", 9, "--json")
    assert made.returncode == 0 and made.stderr == ""
    assert made.stdout.count("\n") == 1
    body = json.loads(made.stdout)
    assert (body["merchant_id"], body["workspace_id"], body["project_id"]) == ("SHOP", 7, 9)
    assert re.fullmatch("[0-9a-f]{64}", body["simple_key"])
    assert re.fullmatch("[A-Za-z0-9]{32}", body["api_key"])
    assert re.fullmatch("[A-Za-z0-9]{48}", body["api_secret"])
    assert set(body) == {"merchant_id", "workspace_id", "project_id", "simple_key", "api_key",
                         "api_secret"}
    assert oct((tmp_path / "d").stat().st_mode & 0o777) == "0o700"
    assert oct((tmp_path / "d/key").stat().st_mode & 0o777) == "0o600"


@pytest.mark.embedded("it searches the directory's files")
def test_no_secret_is_on_disk(tmp_path):
    server = Server(tmp_path).start()
    token = server.credential("--kind", "token")["token"]
    assert server.stop() == 0
    disk = b"".join(file.read_bytes() for file in server.data.iterdir())
    assert disk
    for secret in (server.simple_key, server.credentials["api_secret"], token):
        assert secret.encode() not in disk


def test_a_second_init_is_refused(tmp_path):
    assert command("init", "--data", tmp_path).returncode == 0
    again = command("init", "--data", tmp_path)
    assert again.returncode == 1
    assert again.stdout == ""
    assert f"{tmp_path} is initialised already" in again.stderr


@pytest.mark.embedded("it is about the directory's files")
def test_lost_and_damaged_data_is_not_begun_anew(tmp_path):
    assert command("init", "--data", tmp_path).returncode == 0
    database, key = tmp_path / "hookyard.db", tmp_path / "key"
    with contextlib.closing(sqlite3.connect(database)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = database.read_bytes()
    for text, said in [(None, "hookyard.db is missing in"), (b"", "is empty (0 bytes)"),
                       (b"what is this" * 1000, "is not a SQLite database")]:
        database.unlink(missing_ok=True)
        if text is not None:
            database.write_bytes(text)
        for action in ["serve", "init"]:
            refused = command(action, "--data", tmp_path)
            assert refused.returncode == 1 and refused.stdout == ""
            assert said in refused.stderr and str(tmp_path) in refused.stderr
    # Without the key it is the database all the same that is complained of.
    key.rename(tmp_path / "elsewhere")
    assert "is not a SQLite database" in command("serve", "--data", tmp_path).stderr
    for file in tmp_path.glob("hookyard.db-*"):
        file.unlink()
    database.write_bytes(whole[:5000])
    assert "is damaged" in command("serve", "--data", tmp_path).stderr
    database.write_bytes(whole)
    assert "cannot read the encryption key" in command("serve", "--data", tmp_path).stderr
    (tmp_path / "elsewhere").rename(key)
    assert "is initialised already" in command("init", "--data", tmp_path).stderr


@pytest.mark.embedded("it is about the directory's files")
def test_files_are_their_owners_alone_whatever_the_mask_is(tmp_path):
    tmp_path.chmod(0o755)
    subprocess.run(["sh", "-c", 'umask 0; exec "$0" init --data "$1"', BINARY, tmp_path],
                   env=environment(), check=True, capture_output=True)
    server = Server.__new__(Server)
    server.directory, server.data, server.flags = tmp_path, tmp_path, []
    server.place = {"HOOKYARD_DATA": str(tmp_path)}
    (tmp_path / "hookyard.db").chmod(0o644)
    server.start()

    def modes():
        return {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()
                if file.name != "server.log"}

    found = modes()
    assert server.stop() == 0
    assert {"hookyard.db", "hookyard.db-wal", "hookyard.db-shm", "key", "lock"} <= set(found)
    assert set(found.values()) == {"0o600"}, found
    assert "chmod 700" in (tmp_path / "server.log").read_text()


def test_a_new_installation_is_named_and_may_be_refused(tmp_path):
    place = {}
    if STORE == "postgres":
        place = {"HOOKYARD_DATABASE_URL": shared_postgres().database(),
                 "HOOKYARD_ENCRYPTION_KEY": "5e" * 32}
    refused = command("serve", "--require-init", cwd=tmp_path, env=place)
    assert refused.returncode == 1 and "--require-init is set" in refused.stderr
    assert "hookyard init" in refused.stderr
    assert list(tmp_path.iterdir()) == []
    process = subprocess.Popen([BINARY, "--listen", "127.0.0.1:0"], cwd=tmp_path,
                               env={**environment(), **place}, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    line = process.stdout.readline()
    where = "the database" if STORE == "postgres" else f"{tmp_path.resolve()}/hookyard-data"
    assert line == f"new installation in {where}\n"
    wait_until(lambda: process.stdout.readline().startswith("listening on "))
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()
    again = {**place, "HOOKYARD_REQUIRE_INIT": "true", "HOOKYARD_LISTEN": "127.0.0.1:0"}
    process = subprocess.Popen([BINARY], cwd=tmp_path, env={**environment(), **again},
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline().startswith("listening on ")
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()


def test_serve_on_an_empty_directory_prints_credentials_once(tmp_path):
    def start():
        process = subprocess.Popen([BINARY, "--listen", "127.0.0.1:0"], cwd=tmp_path,
                                   env=environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("listening on http://"):
                break
        process.terminate()
        process.communicate(timeout=10)
        assert process.returncode == 0
        return "".join(lines)

    first, second = start(), start()
    assert (tmp_path / "hookyard-data/hookyard.db").exists()
    for name in ("HY_URL", "HY_SIMPLE_KEY", "HY_API_KEY", "HY_API_SECRET"):
        assert f"export {name}=" in first
    assert "export" not in second and "listening on" in second


def test_rule_test_says_match_or_why_not(tmp_path):
    rule, event = tmp_path / "rule.json", tmp_path / "event.json"
    rule.write_text('{"stage":["Shipping"],"total":[{"numeric":[">",100]}]}\n')
    event.write_text('{"stage":"Shipping","total":120.50}\n')
    files = ("rule", "test", "--rule", rule, "--event", event)
    # What is configured, however badly, is not its business.
    (tmp_path / "hookyard.toml").write_text("nonsense = ")
    match = command(*files, cwd=tmp_path)
    assert (match.returncode, match.stdout, match.stderr) == (0, "match\n", "")
    event.write_text('{"stage":"Accounts"}')
    other = command(*files)
    assert other.returncode == 1 and other.stderr == ""
    assert other.stdout == ('no match\n  stage: "Accounts" is not "Shipping"\n'
                            '  total: the event has no such field, wanted '
                            '{"numeric": [">", 100]}\n')


def test_rule_test_without_an_answer_ends_with_2(tmp_path):
    rule, event = tmp_path / "rule.json", tmp_path / "event.json"
    rule.write_text('{"a":1}')
    event.write_text("{}")
    files = ("rule", "test", "--rule", rule, "--event", event)
    invalid = command(*files)
    assert invalid.returncode == 2 and invalid.stdout == ""
    assert invalid.stderr.startswith("error: the rule: a: ") and "in 1" in invalid.stderr
    rule.write_text('{"a":[1]}')
    event.write_text("[]")
    message = command(*files).stderr
    assert message.startswith("error: the event cannot be read as a JSON object: "), message
    assert message.count("at byte") == 1, message
    event.unlink()
    assert f"the event: cannot read {event}" in command(*files).stderr
    rule.write_text(json.dumps({"a": ["x" * (128 << 10)]}))
    assert "more than the 131072 bytes" in command(*files).stderr
    for args in (files, ("rule", "test", "--rule", rule), ("rule",),
                 ("rule", "test", "--rule", "-", "--event", "-")):
        assert command(*args).returncode == 2, args


@pytest.mark.parametrize("piped", ["rule", "event"])
def test_rule_test_reads_the_standard_input(tmp_path, piped):
    texts = {"rule": '{"a":[1]}', "event": '{"a":1.0}'}
    args = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        args += [f"--{name}", "-" if name == piped else str(tmp_path / name)]
    run = subprocess.run([BINARY, "rule", "test", *args], input=texts[piped], capture_output=True,
                         text=True, env=environment(), timeout=30)
    assert (run.returncode, run.stdout) == (0, "match\n"), run.stderr


@pytest.mark.embedded("a database has many")
def test_a_directory_has_one_server(tmp_path):
    server = Server(tmp_path).start()
    second = command("serve", "--data", server.data, "--listen", "127.0.0.1:0")
    assert second.returncode == 1
    assert f"the data directory {server.data} is in use" in second.stderr
    assert command("init", "--data", server.data).returncode == 1
    assert server.stop() == 0
    assert server.start().stop() == 0


def test_a_crash_leaves_no_lock(tmp_path):
    server = Server(tmp_path).start()
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    assert server.start().stop() == 0


def test_a_taken_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        tried = command("serve", "--data", tmp_path, "--listen", address)
    assert tried.returncode == 1
    assert address in tried.stderr and "--listen" in tried.stderr
    assert "export" not in tried.stdout, "credentials were spent on a server that never was"


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path):
    (tmp_path / "hookyard.toml").write_text('merchant = "FILE"\nworkspace_id = 5\nproject_id = 6\n')
    env = {"HOOKYARD_MERCHANT": "ENV", "HOOKYARD_WORKSPACE_ID": "50"}
    made = command("init", "--data", "d", "--merchant", "FLAG", "--json", cwd=tmp_path, env=env)
    body = json.loads(made.stdout)
    assert (body["merchant_id"], body["workspace_id"], body["project_id"]) == ("FLAG", 50, 6)


def test_an_unknown_key_is_refused_with_its_line(tmp_path):
    (tmp_path / "my.toml").write_text('listen = "127.0.0.1:0"\nlistn = "x"\n')
    tried = command("serve", "--config", "my.toml", cwd=tmp_path)
    assert tried.returncode == 1
    for part in ("my.toml, line 2", "`listn`", "allow_net"):
        assert part in tried.stderr
    missing = command("serve", "--config", "none.toml", cwd=tmp_path)
    assert missing.returncode == 1 and "none.toml" in missing.stderr


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--listen", "localhost", "--listen"),
        ("--allow-net", "10.0.0.0/99", "no range of addresses"),
        ("--log-level", "loud", "use off, error, warn"),
        ("--log-format", "xml", "use human or json"),
        ("--time-zone", "Mars/Olympus", "no known time zone"),
        ("--event-bytes-max", "1GB", "no size"),
        ("--drain-seconds", "-1", "time to drain"),
        ("--lease-seconds", "2", "from 3 to 300"),
        ("--disable-after-days", "366", "time to fail"),
        ("--merchant", "shop", "no merchant code"),
    ],
)
def test_bad_values_are_refused_with_what_is_right(tmp_path, flag, value, said):
    tried = command("serve", "--data", tmp_path / "d", f"{flag}={value}")
    assert tried.returncode == 2
    assert said in tried.stderr
    assert not (tmp_path / "d").exists()


def test_another_database_is_refused_and_not_ignored(tmp_path):
    for args, env in ((["--database-url", "mysql://x"], {}),
                      ([], {"HOOKYARD_DATABASE_URL": "mysql://x"})):
        tried = command("init", "--data", tmp_path / "d", *args, env=env)
        assert tried.returncode == 1
        assert "postgres://" in tried.stderr
        assert not (tmp_path / "d").exists()


def test_a_shared_database_needs_a_shared_key_and_must_answer(tmp_path):
    url = ["--database-url", "postgres://hookyard@127.0.0.1:1/none"]
    tried = command("init", *url, cwd=tmp_path)
    assert tried.returncode == 1 and "HOOKYARD_ENCRYPTION_KEY" in tried.stderr
    tried = command("init", *url, cwd=tmp_path, env={"HOOKYARD_ENCRYPTION_KEY": "ab" * 32})
    assert tried.returncode == 1 and "cannot open the database" in tried.stderr
    assert not list(tmp_path.iterdir())


def test_the_data_needs_its_key(tmp_path):
    key = {"HOOKYARD_ENCRYPTION_KEY": "ab" * 32}
    assert command("init", "--data", tmp_path / "d", env=key).returncode == 0
    assert not (tmp_path / "d/key").exists()
    tried = command("serve", "--data", tmp_path / "d", "--listen", "127.0.0.1:0")
    assert tried.returncode == 1 and "encryption key" in tried.stderr
    bad = command("init", "--data", tmp_path / "e", env={"HOOKYARD_ENCRYPTION_KEY": "secret"})
    assert bad.returncode == 1
    assert "64 hexadecimal digits" in bad.stderr and "secret" not in bad.stderr


def test_credentials_made_while_serving_work_at_once(tmp_path):
    server = Server(tmp_path).start()
    simple = server.credential()["simple_key"]
    token = server.credential("--kind", "token")["token"]
    assert re.fullmatch("mm_[A-Za-z0-9]{43}", token)
    reader = server.credential("--scope", "webhook_read")
    assert reader["scopes"] == ["webhook_read"]
    webhooks = "/rest/v2/webhook/webhooks"
    for headers, status in (
        ({"x-ultracart-simple-key": simple}, 200),
        ({"Authorization": f"Bearer {token}"}, 200),
        ({"x-ultracart-simple-key": reader["simple_key"]}, 200),
        ({"x-ultracart-simple-key": "0" * 64}, 401),
    ):
        assert server.http("GET", webhooks, headers=headers).status == status, headers
    assert server.stop() == 0


def test_credentials_need_a_workspace_that_is_there(tmp_path):
    none = command("credential", "create", "--data", tmp_path / "none")
    assert none.returncode == 1 and "hookyard init" in none.stderr
    server = Server(tmp_path)
    other = command("credential", "create", "--workspace", 44, env=server.place)
    assert other.returncode == 1 and "there is no workspace 44: use one of 1" in other.stderr


def test_help_and_version_succeed_and_usage_fails():
    for args in (["--help"], ["serve", "-h"], ["credential", "create", "--help"], ["--version"]):
        shown = command(*args)
        assert shown.returncode == 0 and shown.stdout and not shown.stderr
    assert "stands" in command("init", "--help").stdout
    assert command("serve", "--nope").returncode == 2
    assert command("vanish").returncode == 2


def test_a_reader_that_stops_reading_is_no_failure(tmp_path):
    script = f'"{BINARY}" init --data "{tmp_path}/d" --json | true; echo "${{PIPESTATUS[0]}}"'
    shown = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True)
    assert shown.stdout.strip() == "0" and shown.stderr == ""


def test_probes_answer_and_unknown_paths_are_problems(server):
    assert server.http("GET", "/livez").status == 200
    assert server.http("GET", "/readyz").status == 200
    nothing = server.http("GET", "/nothing/here")
    assert nothing.status == 404
    assert nothing.header("content-type") == ["application/problem+json"]
    assert nothing.json["status"] == 404
    wrong = server.http("DELETE", "/livez")
    assert wrong.status == 405 and wrong.json["status"] == 405


def test_headers_are_in_title_case(server):
    names = [name for name, _ in server.http("GET", "/livez").headers]
    assert "Content-Type" in names and "X-Request-Id" in names


def test_a_head_that_is_too_large_is_refused(server):
    answer = server.http("GET", "/livez", headers={"X-Large": "x" * 100_000})
    assert answer.status == 431


def test_one_line_a_request_without_keys_in_it(tmp_path):
    server = Server(tmp_path, "--log-format", "json").start()
    server.http("POST", "/webhooks/data/" + "S" * 24 + "?secret=hush", "{}")
    answer = server.ultracart("GET", "/webhook/webhooks")
    assert server.stop() == 0
    text = (tmp_path / "server.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert len(requests) == 2
    for line in requests:
        assert line["level"] == "INFO" and line["elapsed_ms"] >= 0 and line["request_id"]
    assert requests[1]["route"] == "/rest/v2/webhook/webhooks" and requests[1]["status"] == 200
    assert requests[1]["request_id"] == answer.header("x-ultracart-request-id")[0]
    for secret in ("SSSS", "hush", server.simple_key):
        assert secret not in text


def test_the_request_log_can_be_turned_off(tmp_path):
    server = Server(tmp_path, "--log-level", "warn").start()
    assert server.http("GET", "/nothing").status == 404
    assert server.stop() == 0
    assert (tmp_path / "server.log").read_text() == ""


def test_a_stop_finishes_what_is_in_flight(tmp_path):
    server = Server(tmp_path).start()
    address = tuple(server.url.removeprefix("http://").split(":"))
    with socket.create_connection((address[0], int(address[1])), timeout=10) as slow:
        head = (f"POST /rest/v2/webhook/webhooks HTTP/1.1\r\nHost: x\r\n"
                f"x-ultracart-simple-key: {server.simple_key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
        slow.sendall(head.encode())
        # The server has the head once it takes another request that came later.
        assert server.http("GET", "/livez").status == 200
        stopped = threading.Thread(target=lambda: codes.append(server.stop()))
        codes = []
        stopped.start()
        wait_until(lambda: refused(address), what="the port closing")
        slow.sendall(b"}")
        answer = b""
        while chunk := slow.recv(4096):
            answer += chunk
    stopped.join(20)
    assert answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 200"), answer
    assert codes == [0]


def refused(address):
    try:
        socket.create_connection((address[0], int(address[1])), timeout=1).close()
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("by", ["a second signal", "the deadline"])
def test_a_stop_that_does_not_end_is_aborted(tmp_path, by):
    drain = "30" if by == "a second signal" else "1"
    server = Server(tmp_path, "--drain-seconds", drain).start()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as stuck:
        stuck.sendall(f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                      f"Content-Type: application/cloudevents+json\r\nExpect: 100-continue\r\n"
                      f"x-ultracart-simple-key: {server.simple_key}\r\n\r\n".encode())
        # It is waiting for the body.
        assert stuck.recv(100).startswith(b"HTTP/1.1 100 ")
        stuck.sendall(b"{")
        began = time.monotonic()
        server.process.terminate()
        if by == "a second signal":
            wait_until(lambda: refused((host, port)), what="the port closing")
            # The same wish, until two seconds have passed.
            def aborted():
                server.process.terminate()
                return server.process.poll() is not None
            wait_until(aborted, seconds=9, what="the abortion")
            assert time.monotonic() - began > 1.9
        assert server.process.wait(10) == 1
        assert time.monotonic() - began < 10
    server.process.stdout.close()
    assert "aborted" in (tmp_path / "server.log").read_text()


def test_a_hangup_does_not_stop_a_server_without_a_terminal(tmp_path):
    server = Server(tmp_path).start()
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
    log = tmp_path / "server.log"
    wait_until(lambda: "SIGHUP changes nothing" in log.read_text(), what="the line about it")
    assert server.http("GET", "/livez").status == 200
    assert server.stop() == 0


def test_two_signals_at_once_are_one(tmp_path):
    server = Server(tmp_path).start()
    with Receiver(script=[1.0]) as receiver:
        body = {"webhook_url": receiver.url,
                "event_categories": [{"events": [{"event_name": "order_create"}]}]}
        assert server.ultracart("POST", "/webhook/webhooks", body).status == 200
        server.publish("order_create", {"n": 1}, "e1")
        wait_until(lambda: receiver.deliveries, what="a delivery under way")
        server.process.terminate()
        server.process.terminate()
        assert server.stop() == 0, "the delivery was not waited for"


def test_a_log_of_objects_has_nothing_else(tmp_path):
    env = {"HOOKYARD_DATA": str(tmp_path / "data")}
    process = subprocess.Popen(
        [BINARY, "serve", "--listen", "localhost:0", "--log-format", "json"], cwd=tmp_path,
        env={**environment(), **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    new, made, listening = (json.loads(process.stdout.readline()) for _ in range(3))
    assert new == {"message": "new installation", "place": str(tmp_path / "data")}
    assert made["workspace_id"] == 1 and made["simple_key"]
    assert listening["message"] == "listening"
    assert listening["url"].startswith("http://127.0.0.1:")
    second = command("serve", "--listen", "localhost:0", "--log-format", "json", env=env)
    assert second.returncode == 1 and second.stdout == ""
    last = [json.loads(line) for line in second.stderr.splitlines()][-1]
    assert last["level"] == "ERROR" and "is in use" in last["message"]
    wrong = command("serve", "--listen", "nonsense", env={**env, "HOOKYARD_LOG_FORMAT": "json"})
    assert wrong.returncode == 2
    (said,) = [json.loads(line) for line in wrong.stderr.splitlines()]
    assert "--listen" in said["message"]
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0 and out == ""
    assert all("level" in json.loads(line) for line in err.splitlines()), err


def lines(server, *args):
    done = command(*args, "--json", env=server.place)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_credentials_are_managed_beside_a_running_server(tmp_path):
    server = Server(tmp_path).start()
    try:
        def status(key):
            headers = {"x-ultracart-simple-key": key}
            return server.http("GET", "/v1/endpoints", headers=headers).status

        made = server.credential("--scope", "webhook_read", "--name", "till")
        assert status(made["simple_key"]) == 200
        number = str(made["credential_id"])
        rotated = lines(server, "credential", "rotate", number, "--overlap-seconds", "3600")[0]
        assert rotated["scopes"] == ["webhook_read"]
        assert status(made["simple_key"]) == status(rotated["simple_key"]) == 200
        elsewhere = server.credential("--allowed-ip", "192.0.2.0/24")
        assert status(elsewhere["simple_key"]) == 403
        ended = lines(server, "credential", "revoke", number)[0]
        assert ended["revoked_at"] and ended["name"] == "till"
        wait_until(lambda: status(made["simple_key"]) == 401, what="the end of the credential")
        assert status(rotated["simple_key"]) == 200

        listed = {one["id"]: one for one in lines(server, "credential", "list")}
        assert set(listed) == {1, 2, made["credential_id"], rotated["credential_id"],
                               elsewhere["credential_id"]}
        assert listed[rotated["credential_id"]]["name"] == "till"
        shown = json.dumps(list(listed.values()))
        assert made["simple_key"] not in shown and rotated["simple_key"] not in shown
        for args, word in [
            (("revoke", "99"), "no such credential"),
            (("rotate", number), "has ended"),
            (("create", "--expires-at", "2020-01-01T00:00:00Z"), "must be in the future"),
        ]:
            failed = command("credential", *args, env=server.place)
            assert failed.returncode == 1 and word in failed.stderr, failed.stderr
    finally:
        assert server.stop() == 0


def test_a_credential_for_one_project_and_one_that_is_disabled(tmp_path):
    server = Server(tmp_path).start()
    try:
        lines(server, "project", "create", "Tills")
        wrong = command("credential", "create", "--project", "2", "--scope", "admin",
                        env=server.place)
        assert wrong.returncode == 1 and "data_read and data_write" in wrong.stderr
        wrong = command("credential", "create", "--project", "9", env=server.place)
        assert wrong.returncode == 1 and "none of the workspace's" in wrong.stderr
        made = server.credential("--project", "2", "--kind", "pair")
        assert made["scopes"] == ["data_read", "data_write"]
        pair = {"X-API-KEY": made["api_key"], "X-API-SECRET": made["api_secret"]}

        def status(path):
            return server.http("GET", path, headers=pair).status

        assert status("/workspaces/1/projects/2/webhooks") == 200
        assert status("/workspaces/1/projects/1/webhooks") == 403
        assert status("/v1/endpoints") == 403
        own = server.http("POST", "/v1/sources", {}, pair)
        assert own.status == 201 and own.json["project"] == 2
        number = str(made["credential_id"])
        listed = {one["id"]: one for one in lines(server, "credential", "list")}
        assert listed[made["credential_id"]]["project"] == 2
        for verb, code in [("disable", 410), ("enable", 200)]:
            assert lines(server, "credential", verb, number)[0]["disabled"] is (code == 410)
            wait_until(lambda: status("/v1/sources") == code, what=f"{verb}d")
        lost = command("credential", "disable", "99", env=server.place)
        assert lost.returncode == 1 and "no such credential" in lost.stderr
    finally:
        assert server.stop() == 0


def test_applications_and_their_grants_are_managed_beside_a_running_server(tmp_path):
    server = Server(tmp_path).start()
    back = "https://reports.example.com/back"
    one = ("--application", "1")
    try:
        made = lines(server, "application", "create", "--name", "Reports", "--scope",
                     "webhook_read", "--redirect-uri", back, "--developer", "Example")[0]
        client_id = made["client_id"]
        code = server.authorization_code(client_id, back)
        answer = server.http("POST", "/rest/v2/oauth/token", urlencode({
            "client_id": client_id, "grant_type": "authorization_code", "code": code,
            "redirect_uri": back}), {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 200, answer.body
        bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}

        def status():
            return server.http("GET", "/rest/v2/webhook/webhooks", headers=bearer).status

        assert status() == 200
        changed = lines(server, "application", "update", *one, "--name", "Counts", "--developer",
                        "", "--require-pkce", "true", "--redirect-uri", back + "2")[0]
        assert (changed["name"], changed["developer"]) == ("Counts", None)
        assert changed["require_pkce"] is True and changed["redirect_uris"] == [back + "2"]
        assert changed["scopes"] == ["webhook_read"] and changed["client_id"] == client_id
        for args, word in [
            (("update", *one), "nothing to change"),
            (("update", *one, "--redirect-uri", "x"), "redirect_uris[0]"),
            (("update", "--application", "9", "--name", "x"), "application list"),
            (("revoke", *one, "--grant", "9"), "no grant 9"),
            (("grants", "--application", "9"), "application list"),
        ]:
            failed = command("application", *args, env=server.place)
            assert failed.returncode == 1 and word in failed.stderr, failed.stderr

        for verb, code in [("disable", 410), ("enable", 200)]:
            assert lines(server, "application", verb, *one)[0]["disabled"] is (code == 410)
            wait_until(lambda: status() == code, what=f"{verb}d")
        grants = lines(server, "application", "grants", *one)
        assert [(grant["id"], grant["via"], grant["scopes"]) for grant in grants] == [
            (1, "code", ["webhook_read"])]
        gone = lines(server, "application", "revoke", *one, "--grant", "1")[0]
        assert gone == {"application_id": 1, "grant_id": 1}
        assert lines(server, "application", "grants", *one) == []
        wait_until(lambda: status() == 401, what="the end of the token")

        listed = lines(server, "audit", "list", "--limit", "3")
        assert [entry["action"] for entry in listed] == [
            "grant.revoke", "application.update", "application.update"]
        assert listed[0]["actor"] == "command" and listed[0]["detail"]["reason"] == "taken_back"
        rest = lines(server, "audit", "list", "--before", str(listed[-1]["id"]))
        assert [entry["action"] for entry in rest] == [
            "application.update", "token.issue", "application.approve", "application.create"]
        assert rest[2]["credential"] == 1 and rest[2]["address"] == "127.0.0.1"
        for args, actions in [
            (("--action", "token."), ["token.issue"]),
            (("--credential", "1"), ["application.approve"]),
            (("--action", "grant.", "--subject", "1"), ["grant.revoke"]),
            (("--until", "2020-01-01T00:00:00Z"), []),
            (("--from", "2020-01-01T00:00:00Z", "--limit", "1"), ["grant.revoke"]),
        ]:
            found = [entry["action"] for entry in lines(server, "audit", "list", *args)]
            assert found == actions, args
        people = command("audit", "list", "--action", "token.", env=server.place)
        assert people.returncode == 0 and "\ttoken.issue\t1\t" in people.stdout
        wrong = command("audit", "list", "--limit", "0", env=server.place)
        assert wrong.returncode == 2 and "use 1 to 1000" in wrong.stderr
    finally:
        assert server.stop() == 0


def test_workspaces_and_projects_are_made_beside_a_running_server(tmp_path):
    server = Server(tmp_path).start()
    try:
        shop = lines(server, "workspace", "create", "SHOP", "--name", "The shop")[0]
        assert shop == {"id": 2, "merchant": "SHOP", "name": "The shop"}
        key = server.credential("--workspace", "2", "--kind", "pair")
        pair = {"X-API-KEY": key["api_key"], "X-API-SECRET": key["api_secret"]}
        types = server.http("GET", "/v1/event-types", headers=pair)
        assert types.status == 200 and b"order_create" in types.body
        project = lines(server, "project", "create", "Tills", "--workspace", "2")[0]
        assert project == {"id": 2, "name": "Tills"}
        webhook = server.http("POST", "/workspaces/2/projects/2/webhooks", {}, pair)
        assert webhook.status == 201, webhook.body
        assert lines(server, "workspace", "rename", "Both", "--workspace", "1")[0]["name"] == "Both"
        assert [one["id"] for one in lines(server, "workspace", "list")] == [1, 2]
        held = command("project", "delete", "2", "--workspace", "2", env=server.place)
        # Servers that share a database know what others do to it.
        why = "DELETE /v1/projects/2" if STORE == "embedded" else "not empty"
        assert held.returncode == 1 and why in held.stderr
        several = command("project", "list", env=server.place)
        assert several.returncode == 1 and "several workspaces" in several.stderr

        export = command("audit", "export", "--workspace", "2", env=server.place)
        done = [json.loads(line)["action"] for line in export.stdout.splitlines()]
        assert done == ["workspace.create", "credential.create", "project.create", "source.create"]
    finally:
        assert server.stop() == 0
    full = command("project", "delete", "2", "--workspace", "2", env=server.place)
    assert full.returncode == 1 and "not empty" in full.stderr


@pytest.mark.embedded("it looks at the key's file in the directory")
def test_the_key_is_rotated_and_an_interrupted_rotation_is_finished(tmp_path):
    server = Server(tmp_path).start()
    made = server.ultracart("POST", "/webhook/webhooks", {
        "webhook_url": "https://x.test/h", "authentication_type": "basic",
        "basic_username": "u", "basic_password": "the-canary"})
    assert made.status == 200, made.body

    def password():
        hooks = server.ultracart("GET", "/webhook/webhooks").json["webhooks"]
        return hooks[0]["basic_password"]

    def rotate(*flags):
        return command("key", "rotate", "--data", server.data, *flags)

    assert "stop that one" in rotate().stderr
    assert server.stop() == 0
    key, old = server.data / "key", (server.data / "key").read_text()
    done = rotate()
    assert done.returncode == 0 and "1 secrets" in done.stdout, done.stderr
    new = key.read_text()
    assert new != old and not (server.data / "key.new").exists()
    assert key.stat().st_mode & 0o777 == 0o600

    # As a crash leaves it that comes before the new key took its place.
    (server.data / "key.new").write_text(new)
    key.write_text(old)
    server.start()
    assert password() == "the-canary" and key.read_text() == new
    assert not (server.data / "key.new").exists()
    assert server.stop() == 0

    elsewhere = tmp_path / "elsewhere"
    done = rotate("--new-encryption-key-file", elsewhere)
    assert done.returncode == 0 and "--encryption-key-file" in done.stdout, done.stderr
    again = rotate("--new-encryption-key-file", elsewhere, "--encryption-key-file", elsewhere)
    assert "holds the present key" in again.stderr
    assert "name a file" in rotate("--encryption-key-file", elsewhere).stderr
    server.flags += ["--encryption-key-file", str(elsewhere)]
    server.start()
    assert password() == "the-canary"
    assert server.stop() == 0
