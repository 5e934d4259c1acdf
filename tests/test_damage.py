"""A database that lost something while no server looked, under the embedded store."""

import contextlib
import json
import shutil
import signal
import sqlite3
from urllib.parse import urlsplit

import pytest

from harness import Receiver, Server, command, wait_until

pytestmark = pytest.mark.embedded("PostgreSQL checks its own files and log")


def publish(server, first, count):
    server.publish_all([("order_create", {"n": n}, f"event-{n}") for n in range(first, first + count)])


def ids(server):
    """The ids of all events, as the API lists them."""
    page = server.http("GET", "/v1/events?order=asc&limit=1000", headers={"x-ultracart-simple-key":
                                                                server.simple_key})
    assert page.status == 200, page.body
    return [event["event"]["id"] if "event" in event else event["id"] for event in page.json["events"]]


def refused(server):
    """What a start says that is refused."""
    started = command("serve", "--listen", "127.0.0.1:0", cwd=server.directory, env=server.place)
    assert started.returncode == 1, started.stdout
    return started.stderr


def check(server, *flags):
    return command("check", "--json", "--log-level", "warn", *flags, env=server.place)


def database(server, suffix=""):
    return server.data / f"hookyard.db{suffix}"


@pytest.fixture
def killed(tmp_path):
    """A server that was killed after 30 events, the last of which are in the write-ahead log alone."""
    server = Server(tmp_path).start()
    publish(server, 0, 10)
    with contextlib.closing(sqlite3.connect(database(server))) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for n in range(10, 30):
        publish(server, n, 1)
    server.stop(signal.SIGKILL)
    return server


def remove(server):
    database(server, "-wal").unlink()
    database(server, "-shm").unlink()


def change_a_byte(server):
    log = bytearray(database(server, "-wal").read_bytes())
    log[len(log) // 2] ^= 1
    database(server, "-wal").write_bytes(log)
    database(server, "-shm").unlink()


def copy_alone(server):
    shutil.copy(database(server), server.directory / "copy")
    remove(server)
    shutil.copy(server.directory / "copy", database(server))


@pytest.mark.parametrize("how", [remove, change_a_byte, copy_alone])
def test_a_store_that_lost_its_end_is_refused_with_numbers_until_that_is_accepted(killed, how):
    how(killed)
    said = refused(killed)
    assert "events: the store ends at " in said and ", 30 was acknowledged, " in said
    assert "hookyard check --accept-loss" in said
    assert "events: the store ends at " in refused(killed), "it is refused until it is accepted"
    held = int(said.split("the store ends at ")[1].split(",")[0])
    assert 10 <= held < 30
    found = check(killed)
    assert found.returncode == 1
    missing = {"what": "events", "held": held, "acknowledged": 30, "missing": 30 - held}
    assert missing in json.loads(found.stdout)["loss"]
    accepted = check(killed, "--accept-loss")
    assert accepted.returncode == 0 and missing in json.loads(accepted.stdout)["accepted"]
    assert check(killed).returncode == 0
    killed.start()
    assert ids(killed) == [f"event-{n}" for n in range(held)]
    # No number stands for two events, and what was lost is no repetition.
    receipts = killed.publish_all([("order_create", {}, "event-29"), ("order_create", {}, "event-0")])
    assert [(r["duplicate"], r["seq"]) for r in receipts] == [(False, 31), (True, 1)]
    audit = killed.http("GET", "/v1/audit?action=store.accept_loss", headers=killed.pair)
    assert audit.status == 200, audit.body
    entry = audit.json["entries"][0]
    assert missing in entry["detail"]["missing"] and entry["actor"] == "command"
    assert killed.stop() == 0
    killed.start()
    assert killed.stop() == 0


def test_an_old_backup_in_place_of_the_database_is_noticed(tmp_path):
    server = Server(tmp_path).start()
    publish(server, 0, 5)
    with contextlib.closing(sqlite3.connect(database(server))) as other:
        other.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
    publish(server, 5, 5)
    assert server.stop() == 0
    shutil.copy(tmp_path / "backup.db", database(server))
    assert "the store ends at 5, 10 was acknowledged, 5 missing" in refused(server)
    # It must not get lost on the way to another database either.
    moved = command("migrate", env={**server.place, "HOOKYARD_DATABASE_URL": "postgres://127.0.0.1:1/x"})
    assert moved.returncode == 1 and "5 missing" in moved.stderr


def test_changes_that_are_lost_are_noticed_too(tmp_path):
    server = Server(tmp_path).start()
    assert server.stop() == 0
    shutil.copy(database(server), tmp_path / "before")
    server.start()
    made = server.http("POST", "/v1/endpoints", {"url": "https://example.com/"}, server.pair)
    assert made.status == 201, made.body
    assert server.stop() == 0
    shutil.copy(tmp_path / "before", database(server))
    assert "changes: the store ends at " in refused(server)


def restored(server, tmp_path, file):
    """A server of a backup in a new directory."""
    directory = tmp_path / "restored"
    (directory / "data").mkdir(parents=True)
    shutil.copy(file, directory / "data/hookyard.db")
    shutil.copy(server.data / "key", directory / "data/key")
    again = Server(directory, beside=server)
    again.place = {"HOOKYARD_DATA": str(directory / "data")}
    return again


@pytest.mark.parametrize("how", ["vacuum", "backup"])
def test_a_proper_backup_is_served_without_a_word(tmp_path, how):
    server = Server(tmp_path).start()
    publish(server, 0, 5)
    with contextlib.closing(sqlite3.connect(database(server))) as other:
        if how == "vacuum":
            other.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        else:
            with contextlib.closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
                other.backup(backup)
    publish(server, 5, 5)
    assert server.stop() == 0
    again = restored(server, tmp_path, tmp_path / "backup.db").start()
    assert len(ids(again)) == 5
    assert again.stop() == 0
    assert "lacks" not in (again.directory / "server.log").read_text() or how == "backup"


def test_a_copy_without_its_log_is_said_and_one_of_a_stopped_server_is_whole(tmp_path):
    server = Server(tmp_path).start()
    publish(server, 0, 5)
    shutil.copy(database(server), tmp_path / "copy")
    assert server.stop() == 0
    again = restored(server, tmp_path, tmp_path / "copy").start()
    assert again.stop() == 0
    assert "lacks what was in the write-ahead log" in (again.directory / "server.log").read_text()
    shutil.rmtree(again.directory)
    again = restored(server, tmp_path, database(server)).start()
    assert len(ids(again)) == 5
    assert again.stop() == 0
    assert "write-ahead log" not in (again.directory / "server.log").read_text()


def test_a_kill_or_a_mark_that_is_gone_or_damaged_refuses_nothing(killed):
    killed.start()
    assert len(ids(killed)) == 30
    killed.stop(signal.SIGKILL)
    mark = database(killed, "-acknowledged")
    behind = mark.read_bytes()
    for n, text in enumerate([None, b"", b"junk", behind]):
        if text is None:
            mark.unlink()
        else:
            mark.write_bytes(text)
        killed.start()
        publish(killed, 100 + n, 1)
        killed.stop(signal.SIGKILL)
    # Another program that was the last one to look copies the log and removes it.
    with contextlib.closing(sqlite3.connect(database(killed))) as other:
        assert other.execute("SELECT count(*) FROM journal").fetchone() == (34,)
    assert not database(killed, "-wal").exists()
    killed.start()
    assert killed.stop() == 0
    assert mark.stat().st_mode & 0o777 == 0o600


def test_a_check_refuses_what_is_being_served_and_says_what_is_damaged(tmp_path):
    server = Server(tmp_path).start()
    publish(server, 0, 200)
    assert check(server).returncode == 2
    assert server.stop() == 0
    whole = check(server)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    page = bytearray(database(server).read_bytes())
    for place in range(4096 * 20, 4096 * 24):
        page[place] ^= 0xff
    database(server).write_bytes(page)
    found = check(server)
    assert found.returncode == 1, found.stdout
    assert json.loads(found.stdout)["findings"]


def flip(server, *texts):
    """Flips a bit of each text wherever the file has it."""
    file = bytearray(database(server).read_bytes())
    for text in map(str.encode, texts):
        place, found = file.find(text), 0
        while place >= 0:
            file[place + len(text) // 2] ^= 1
            place, found = file.find(text, place), found + 1
        assert found, text
    database(server).write_bytes(file)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_flipped_bit_is_neither_delivered_nor_shown_nor_in_the_way(tmp_path, concurrency):
    server = Server(tmp_path).start()
    headers = {"x-ultracart-simple-key": server.simple_key}
    damaged = [n for n in range(60) if n % 3]
    with Receiver(script=[500]) as receiver:
        made = server.http("POST", "/v1/endpoints", {
            "url": receiver.url + "/x", "subscriptions": [{"event_type": "order_create"}],
            **({"concurrency": concurrency, "order_key": "n"} if concurrency > 1 else {})}, headers)
        assert made.status == 201, made.body
        endpoint = f"/v1/endpoints/{made.json['id']}"
        server.publish_all([("order_create", {"n": n, "text": f"marker-{n:02}-of-the-test"},
                             f"event-{n}") for n in range(60)])
        wait_until(lambda: receiver.deliveries)
        assert server.stop() == 0
        flip(server, *(f"marker-{n:02}-of-the-test" for n in damaged))
        found = check(server)
        assert found.returncode == 1
        report = json.loads(found.stdout)
        assert report["events"] == {"records": 60, "without_checksum": 0, "damaged": len(damaged)}
        assert {f["number"] for f in report["findings"]} == {n + 1 for n in damaged}
        receiver.deliveries.clear()
        server.start()
        state = lambda: server.http("GET", endpoint, headers=headers).json["queue"]
        wait_until(lambda: state()["pending"] == 0, 60)
        assert state()["dead_letters"] == len(damaged)
        delivered = [event["order_create"]["text"] for d in receiver.deliveries for event in d.events]
        if concurrency > 1:
            delivered.sort()  # several bundles at a time arrive in any order
        assert delivered == [f"marker-{n:02}-of-the-test" for n in range(60) if n % 3 == 0]
    letter = server.http("GET", f"{endpoint}/dead-letters/2", headers=headers)
    assert letter.status == 200, letter.body
    assert "event 2 is damaged in the store and was not sent" in letter.body.decode()
    page = server.http("GET", "/v1/events?order=asc&limit=100", headers=headers)
    assert page.status == 200, page.body
    for n, event in enumerate(page.json["events"]):
        assert event["seq"] == n + 1
        if n in damaged:
            assert f"event {n + 1} is damaged" in event["damaged"] and "event" not in event
        else:
            assert event["event"]["data"]["text"] == f"marker-{n:02}-of-the-test"
    alone = server.http("GET", "/v1/events/event-1", headers=headers)
    assert alone.status == 500 and "event 2 is damaged" in alone.json["detail"]
    again = server.publish("order_create", {"n": 1}, "event-1")
    assert not again["duplicate"] and again["seq"] == 61
    assert server.publish("order_create", {"n": 0}, "event-0")["duplicate"]
    assert server.stop() == 0


def test_a_damaged_row_is_named_and_in_nobodys_sum(tmp_path):
    server = Server(tmp_path).start()
    headers = {"x-ultracart-simple-key": server.simple_key, **server.pair}
    base = "/workspaces/{workspace_id}/projects/{project_id}".format(**server.credentials)
    made = server.http("POST", f"{base}/webhooks", {"mode": "combine"}, server.pair)
    assert made.status < 300, made.body
    source = made.json["webhook"]
    path = urlsplit(source["uri"]).path
    for n in range(6):
        text = f"row-{n}-of-the-test" + (" large" * 2000 if n == 4 else "")
        assert server.http("POST", path, {"text": text}).status == 201
    assert server.stop() == 0
    flip(server, "row-2-of-the-test")
    found = json.loads(check(server).stdout)
    assert found["rows"] == {"records": 6, "without_checksum": 0, "damaged": 1}
    number = found["findings"][0]["number"]
    server.start()
    rows = server.http("GET", f"/v1/datasets/{source['ds_id']}/rows", headers=headers)
    assert rows.status == 200, rows.body
    cells = [row["cell"] for row in rows.json["rows"]]
    assert cells[2] == {"hookyard_error": f"row {number} is damaged in the store"}
    assert [cell["text"][:17] for n, cell in enumerate(cells) if n != 2] == [
        f"row-{n}-of-the-test" for n in range(6) if n != 2]
    exported = None
    with contextlib.suppress(Exception):
        exported = server.http("GET", f"/v1/datasets/{source['ds_id']}/export?format=ndjson",
                               headers=headers)
    assert exported is None or exported.status == 500
    query = {"query": 'SELECT count("text") FROM "Generic Webhook"'}
    summed = server.http("POST", "/v1/sql", query, headers)
    # The default build has no SQL.
    refusal = (summed.status, summed.json.get("code"))
    assert refusal in [(500, "internal"), (404, "not_built")], summed.body
    assert f"row {number} is damaged" in (tmp_path / "server.log").read_text()
    assert server.stop() == 0


def test_a_damaged_attempt_says_so(tmp_path):
    server = Server(tmp_path).start()
    headers = {"x-ultracart-simple-key": server.simple_key}
    with Receiver(headers={"x-answer": "header-of-the-test"}) as receiver:
        made = server.http("POST", "/v1/endpoints", {
            "url": receiver.url + "/x", "subscriptions": [{"event_type": "order_create"}]}, headers)
        endpoint = f"/v1/endpoints/{made.json['id']}"
        publish(server, 0, 1)
        attempts = lambda: server.http("GET", f"{endpoint}/attempts", headers=headers)
        wait_until(lambda: attempts().json["attempts"])
        assert server.stop() == 0
    flip(server, "header-of-the-test")
    assert json.loads(check(server).stdout)["attempts"]["damaged"] == 1
    server.start()
    listed = attempts().json["attempts"][0]
    one = server.http("GET", f"{endpoint}/attempts/{listed['request_id']}", headers=headers)
    assert one.status == 200, one.body
    assert "damaged in the store" in one.body.decode() and b"header-of" not in one.body
    assert server.stop() == 0
