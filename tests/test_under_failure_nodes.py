"""What is lost, out of order and repeated when PostgreSQL or one of two servers on it fails under load.

See test_under_failure.py for the rows that each test prints."""

import contextlib
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from harness import Postgres, Server
from load import (SECONDS, Load, in_flight, lasts, nothing_went_wrong, report, small_disk, filled,
                  under_load)
from test_disk import Disk, library  # noqa: F401 (a fixture)

# A lease lasts 10 seconds, and the dead are looked for every 2.
TAKEN_OVER_SECONDS = 20

# What is left of a lease after its last renewal, at least: a server delivers for four fifths of the lease, and
# renews the lease in each fifth. On a busy machine PostgreSQL takes seconds to stop and to start again.
LEASE_LEFT_SECONDS = 6


@pytest.fixture
def postgres():
    # As it is used: what was committed is on the disk.
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def nodes(postgres, tmp_path):
    """Two servers."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = Server(tmp_path / "first", database=postgres.database())
    servers = [first.start(), Server(tmp_path / "second", beside=first).start()]
    yield servers
    for server in servers:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


def away(how):
    """PostgreSQL is stopped, and started again."""
    @contextlib.contextmanager
    def fault(postgres, _):
        postgres.stop(how)
        yield
        postgres.start()
    return fault


@contextlib.contextmanager
def terminated(postgres, database):
    """The servers' connections are ended, all of them, again and again."""
    ended = threading.Event()
    statement = ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                 f"WHERE datname = '{database}'")

    def terminate():
        while not ended.wait(0.3):
            postgres.sql(statement)

    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def read_only(postgres, _):
    """Nothing can be written, as after a failover to a standby that was not promoted."""
    def set(value):
        postgres.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        postgres.sql("SELECT pg_reload_conf()")

    set("on")
    try:
        yield
    finally:
        set("off")


@contextlib.contextmanager
def locked(postgres, database):
    """Another session holds the journal for as long as this lasts."""
    statement = f"BEGIN; LOCK TABLE journal; SELECT pg_sleep({SECONDS + 60})"
    holder = threading.Thread(target=quietly, args=(postgres, statement, database))
    holder.start()
    try:
        yield
    finally:
        postgres.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                     "WHERE query LIKE 'BEGIN; LOCK TABLE%' AND pid <> pg_backend_pid()")
        holder.join()


def quietly(postgres, statement, database):
    """A statement that may be cut off."""
    with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
        postgres.sql(statement, database)


@contextlib.contextmanager
def frozen(postgres, _):
    """PostgreSQL's processes stand still, as on a disk or a machine that hangs."""
    main = int((pathlib.Path(postgres.directory) / "data/postmaster.pid").read_text().split()[0])
    children = pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()
    pids = [main, *map(int, children)]

    def tell(number):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    tell(signal.SIGSTOP)
    try:
        yield
    finally:
        tell(signal.SIGCONT)


# Bytes of an event that soon finds no room.
LARGE = 100_000

# What happens to PostgreSQL, for how long, and how.
POSTGRES = {
    "restarted": (SECONDS, away("stop")),
    "crashed": (SECONDS, away("crash")),
    "connections terminated": (SECONDS, terminated),
    "read-only": (SECONDS, read_only),
    "journal locked": (SECONDS + 6, locked),
    "frozen": (SECONDS + 9, frozen),
}


@pytest.mark.parametrize("what", POSTGRES)
def test_a_database_that_fails_repeats_nothing(postgres, nodes, what):
    seconds, fault = POSTGRES[what]
    database = nodes[0].place["HOOKYARD_DATABASE_URL"].rsplit("/", 1)[1]

    def repeats(lasted):
        # A lease that cannot be renewed ends, and with it what was in flight.
        return in_flight(1) if lasted > LEASE_LEFT_SECONDS else 0

    account = under_load(nodes, what, lambda _: fault(postgres, database),
                         repeats=repeats, seconds=seconds, store="PostgreSQL")
    assert account.refused > 0, account


def test_a_full_database_repeats_nothing_and_is_not_ready(postgres, tmp_path):
    with small_disk(tmp_path / "small", 60) as small:
        owner = pathlib.Path(postgres.directory, "data")
        os.chown(small, owner.stat().st_uid, owner.stat().st_gid)
        # Others than this user have to come through the directories above.
        for above in list(small.parents)[:4]:
            above.chmod(above.stat().st_mode | 0o11)
        postgres.sql(f"CREATE TABLESPACE small LOCATION '{small}'")
        postgres.sql("CREATE DATABASE small TABLESPACE small")
        url = f"postgres://hookyard@127.0.0.1:{postgres.port}/small"
        server = Server(tmp_path, database=url).start()

        @contextlib.contextmanager
        def fault(load):
            usual, load.size = load.size, LARGE
            with filled(small):
                yield
                ready.append(server.http("GET", "/readyz"))
            load.size = usual

        ready = []
        account = under_load([server], "full", fault, store="PostgreSQL")
        assert account.refused > 0, account
        assert [answer.status for answer in ready] == [503], ready[0].body
        assert server.stop(seconds=60) == 0
        postgres.sql("DROP DATABASE small WITH (FORCE)")
        postgres.sql("DROP TABLESPACE small")


def test_a_killed_node_repeats_only_what_was_in_flight(nodes):
    second = nodes[1]
    with Load(nodes) as load:
        load.goes_on()
        second.stop(signal.SIGKILL)
        load.goes_on(10)
        lasts(TAKEN_OVER_SECONDS)
        second.start()
        times = load.recovery()
        load.goes_on()
        account = load.account()
        account.publishing_again, account.delivered_again = times
        report(account, "one of two servers killed", "PostgreSQL")
        nothing_went_wrong(account, in_flight(1))


def test_a_frozen_node_repeats_only_what_was_in_flight(nodes):
    second = nodes[1]
    with Load(nodes) as load:
        load.goes_on()
        second.process.send_signal(signal.SIGSTOP)
        lasts(TAKEN_OVER_SECONDS)
        second.process.send_signal(signal.SIGCONT)
        times = load.recovery()
        load.goes_on()
        account = load.account()
        account.publishing_again, account.delivered_again = times
        report(account, "one of two servers frozen for 20 s", "PostgreSQL")
        nothing_went_wrong(account, in_flight(1))


def test_a_node_whose_clock_is_ahead_is_taken_over_from_all_the_same(
        postgres, tmp_path, library):  # noqa: F811
    """Its lease ends by the database's clock, and the retries that it noted are believed as far as they can
    be meant."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = Server(tmp_path / "first", database=postgres.database())
    disk = Disk(tmp_path, first.data, library)
    second = Server(tmp_path / "second", beside=first)
    second.place = {**second.place, **disk.env}
    (disk.faults / "clock").write_text("3600")
    second.start()
    # It alone is there when the endpoints are made, so it has them all.
    first.url = second.url
    with Load([first, second]) as load:
        load.goes_on()
        first.start()
        second.stop(signal.SIGKILL)
        lasts(TAKEN_OVER_SECONDS)
        second.start()
        times = load.recovery()
        load.goes_on()
        account = load.account()
        account.publishing_again, account.delivered_again = times
        report(account, "a server with its clock an hour ahead killed", "PostgreSQL")
        nothing_went_wrong(account, in_flight(1))
    first.stop()
    second.stop()
