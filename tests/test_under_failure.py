"""What is lost, out of order and repeated when something fails under load, on the real binary.

Each test prints a row of the table in docs/explanation/reliability.md (`-s`), and adds it to the file that
HOOKYARD_FAULTS_REPORT names. HOOKYARD_FAULT_SECONDS is how long a fault lasts, HOOKYARD_FAULT_TRIES how
often a server is killed or its power is cut."""

import contextlib
import datetime
import random
import shutil
import signal
import sqlite3
import time

import pytest

from harness import Server, command
from load import (SECONDS, TRIES, Load, filled, in_flight, lasts, nothing_went_wrong, report,
                  small_disk, under_load)
from test_disk import Disk, library  # noqa: F401 (a fixture)

embedded = pytest.mark.embedded("it is a fault of this store's own disk")

# Bytes of an event that soon finds no room.
LARGE = 100_000

# What a disk can do, and for how long it does so. A disk that hangs is waited for for ten seconds.
DISK = {
    "full": ("no space (ENOSPC)", SECONDS),
    "sync": ("fsync fails (EIO)", SECONDS),
    "hang": ("fsync does not return", SECONDS + 9),
    "read": ("one read in twenty fails (EIO)", SECONDS),
    "copy": ("the database file cannot be written (EIO)", SECONDS),
}


@pytest.fixture
def disk(tmp_path, library):  # noqa: F811
    """A server, and its disk."""
    server = Server(tmp_path)
    disk = Disk(tmp_path, server.data, library)
    server.place = {**server.place, **disk.env}
    server.start()
    yield server, disk
    if server.process.poll() is None:
        assert server.stop(seconds=60) == 0, (tmp_path / "server.log").read_text()


# By how many seconds the clock is set.
CLOCK = {"back by an hour": -3_600, "back by a day": -86_400, "ahead by six days": 6 * 86_400}


@pytest.mark.parametrize("how", CLOCK)
def test_a_clock_that_is_set_repeats_nothing_and_delays_nothing(disk, how):
    server, disk = disk

    def fault(_):
        (disk.faults / "clock").write_text(str(CLOCK[how]))
        # For as long as the test takes.
        return contextlib.nullcontext()

    # The first failure was before that, its retry is due after it.
    under_load([server], f"the clock is set {how}", fault)
    key = {"x-ultracart-simple-key": server.simple_key}
    newest = server.http("GET", "/v1/events?limit=1", headers=key).json["events"][0]["accepted_at"]
    accepted = datetime.datetime.fromisoformat(newest).timestamp()
    assert abs(time.time() + CLOCK[how] - accepted) < 600, "the clock was not set"
    failing = server.ultracart("GET", "/webhook/webhooks").json["webhooks"][-1]
    assert failing["disabled"] is False, failing


@embedded
@pytest.mark.parametrize("how", DISK)
def test_a_disk_that_fails_repeats_nothing(disk, how):
    server, disk = disk
    what, seconds = DISK[how]

    @contextlib.contextmanager
    def fault(load):
        # Where room is left in the files that there are, only larger events fill them.
        usual, load.size = load.size, LARGE if how == "full" else load.size
        with disk.fails(how):
            if how == "read":
                # After a commit of another process nothing that was read counts: all is read again.
                healthy = {name: value for name, value in server.place.items()
                           if name not in disk.env}
                for _ in range(5):
                    made = command("credential", "create", "--json", env=healthy)
                    assert made.returncode == 0, made.stderr
            yield
        load.size = usual

    account = under_load([server], what, fault, seconds=seconds)
    # A log that cannot be copied is no fault yet, and a read may find its page in memory.
    if how not in ("copy", "read"):
        assert account.refused > 0, account


@embedded
def test_a_really_full_disk_repeats_nothing(tmp_path):
    with small_disk(tmp_path / "data", 40) as small:
        server = Server(tmp_path).start()

        @contextlib.contextmanager
        def fault(load):
            usual, load.size = load.size, LARGE
            with filled(small):
                yield
            load.size = usual

        account = under_load([server], "no space (a full tmpfs)", fault)
        assert account.refused > 0, account
        assert server.stop(seconds=60) == 0


@embedded
def test_a_database_that_another_process_holds_repeats_nothing(tmp_path):
    server = Server(tmp_path).start()

    @contextlib.contextmanager
    def fault(_):
        with contextlib.closing(sqlite3.connect(server.data / "hookyard.db", timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            # Longer than the server waits for it.
            lasts(9)
            yield
            other.execute("ROLLBACK")

    account = under_load([server], "another process holds the lock", fault)
    assert account.refused > 0, account
    assert server.stop(seconds=60) == 0


def test_a_killed_server_repeats_only_what_was_in_flight(tmp_path):
    server = Server(tmp_path).start()
    with Load([server]) as load:
        for _ in range(TRIES):
            load.goes_on()
            server.stop(signal.SIGKILL)
            server.start()
            times = load.recovery()
        account = load.account()
        account.publishing_again, account.delivered_again = times
        report(account, f"kill -9, {TRIES} times")
        nothing_went_wrong(account, in_flight(TRIES))
    assert server.stop(seconds=60) == 0


# What the disk writes at once, or not at all.
PAGE = 4096


def cut(data, shadow, chance):
    """Makes a data directory what a cut of the power could have left: of each file what the last fsync had
    reached, with some of the pages that were written since, in no order. A file without an fsync may be there."""
    for file in data.iterdir():
        durable = shadow / file.name
        if not durable.exists():
            if chance.random() < 0.5:
                file.unlink()
            continue
        before, after = durable.read_bytes(), file.read_bytes()
        size = chance.choice([len(before), len(after)])
        pages = []
        for at in range(0, size, PAGE):
            written = chance.choice([before, after])[at:at + PAGE]
            pages.append(written.ljust(min(PAGE, size - at), b"\0")[:size - at])
        file.write_bytes(b"".join(pages))


@embedded
def test_a_cut_of_the_power_loses_nothing(tmp_path, library):  # noqa: F811
    server, shadow = Server(tmp_path), tmp_path / "shadow"
    disk = Disk(tmp_path, server.data, library)
    server.place = {**server.place, **disk.env, "FAULTY_SHADOW": str(shadow)}
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    shutil.copytree(server.data, shadow)
    server.start()
    with Load([server]) as load:
        for _ in range(TRIES):
            load.goes_on(chance.randrange(1, 100))
            server.stop(signal.SIGKILL)
            cut(server.data, shadow, chance)
            shutil.rmtree(shadow)
            shutil.copytree(server.data, shadow)
            server.start()
            times = load.recovery()
        account = load.account()
        account.publishing_again, account.delivered_again = times
        report(account, f"the power is cut, {TRIES} times")
        nothing_went_wrong(account, in_flight(TRIES))
    assert server.stop(seconds=60) == 0
