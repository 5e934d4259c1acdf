"""A database that lost something while no server looked, under the embedded store."""

import contextlib
import json
import shutil
import signal
import sqlite3

import pytest

from harness import Server, command, wait_until

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
