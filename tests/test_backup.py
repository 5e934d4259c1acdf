"""Backups of a server under load, restored and compared event by event."""

import contextlib
import shutil
import sqlite3
import subprocess

import pytest

from harness import Server, wait_until
from load import Load, nothing_went_wrong

pytestmark = pytest.mark.embedded("PostgreSQL has its own backups")


def by_one_step(source, target):
    with contextlib.closing(sqlite3.connect(source)) as file, \
            contextlib.closing(sqlite3.connect(target)) as copy:
        file.backup(copy)


def by_vacuum(source, target):
    with contextlib.closing(sqlite3.connect(source)) as file:
        file.execute("VACUUM INTO ?", (str(target),))


def by_steps(source, target):
    """In steps of a size that a backup under load can end with: it begins again with every commit."""
    with contextlib.closing(sqlite3.connect(source)) as file, \
            contextlib.closing(sqlite3.connect(target)) as copy:
        file.backup(copy, pages=1 << 20, sleep=0)


def by_shell(source, target):
    if not shutil.which("sqlite3"):
        pytest.skip("there is no sqlite3 shell")
    subprocess.run(["sqlite3", source, f".timeout 10000", f".backup '{target}'"], check=True,
                   timeout=60)


def rows(database):
    """All events, as the file has them, by their numbers."""
    with contextlib.closing(sqlite3.connect(database)) as file:
        return {row[0]: row[1:] for row in
                file.execute("SELECT seq, event_id, source, accepted_ms, object FROM journal")}


@pytest.mark.parametrize("how", [by_vacuum, by_one_step, by_steps, by_shell])
def test_a_backup_under_load_holds_every_event_acknowledged_before_it(tmp_path, how):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    server = Server(tmp_path / "first").start()
    restored = Server(tmp_path / "second")
    shutil.rmtree(restored.data)
    restored.data.mkdir()
    with Load([server], pause=0.05) as load:
        load.goes_on(100)
        before = set(load.acknowledged)
        how(server.data / "hookyard.db", restored.data / "hookyard.db")
        load.goes_on(20)
        account = load.account()
        nothing_went_wrong(account)
        original = rows(server.data / "hookyard.db")
        copied = rows(restored.data / "hookyard.db")
        assert before <= {event_id for event_id, *_ in copied.values()}
        assert copied == {seq: original[seq] for seq in range(1, len(copied) + 1)}
        # The server of the copy goes on from there: with the key, which is kept apart.
        shutil.copy(server.data / "key", restored.data / "key")
        assert server.stop(seconds=60) == 0
        restored.credentials = server.credentials
        restored.start()
        journal, deliveries = len(copied), load.endpoints[0].receiver.deliveries
        assert restored.publish("order_create", {"n": 10_000_000}, "after")["seq"] == journal + 1
        wait_until(lambda: deliveries[-1].events[0]["order_create"]["n"] == 10_000_000, 30)
        assert rows(restored.data / "hookyard.db").items() >= copied.items()
        assert restored.stop(seconds=60) == 0
