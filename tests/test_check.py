"""`hookyard check` on both stores: a store in use is whole, and damage is said."""

import json
import signal

import pytest

from harness import STORE, Receiver, Server, command, wait_until


def check(server):
    checked = command("check", "--json", "--log-level", "warn", env=server.place, timeout=120)
    assert checked.returncode in (0, 1), checked.stderr
    report = json.loads(checked.stdout)
    assert (checked.returncode == 0) == (not report["findings"]), report
    return report


@pytest.fixture
def used(tmp_path):
    """A server with a queue, dead letters and a bundle that one receiver took, killed."""
    server = Server(tmp_path).start()
    headers = {"x-ultracart-simple-key": server.simple_key}
    with Receiver() as taking, Receiver(script=[500] * 100) as failing:
        for receiver in (taking, failing):
            made = server.http("POST", "/v1/endpoints", {
                "url": receiver.url + "/x", "subscriptions": [{"event_type": "order_create"}]}, headers)
            assert made.status == 201, made.body
        server.publish_all([("order_create", {"n": n}, f"event-{n}") for n in range(30)])
        wait_until(lambda: sum(len(d.events) for d in taking.deliveries) == 30)
        wait_until(lambda: failing.deliveries)
        if STORE == "postgres":
            # Beside the running server.
            assert check(server)["accounts"]["matched"] == 60
        server.stop(signal.SIGKILL)
    yield server


def test_a_killed_server_leaves_every_event_in_an_account(used):
    report = check(used)
    assert report["findings"] == []
    accounts = report["accounts"]
    assert accounts["matched"] == 60 and accounts["missing"] == 0
    assert accounts["queued"] >= 30 and accounts["finished"] + accounts["queued"] == 60
    assert report["events"]["records"] == 30
    said = command("check", "--log-level", "warn", env=used.place)
    assert said.returncode == 0 and said.stdout.splitlines()[-1] == "whole"
    assert "of 60 deliveries of events, " in said.stdout


def test_a_key_of_another_installation_opens_no_secret(used):
    place = {**used.place, "HOOKYARD_ENCRYPTION_KEY": "77" * 32}
    checked = command("check", "--json", "--log-level", "warn", env=place)
    assert checked.returncode == 1, checked.stderr
    assert any("secret" in found["part"] or "key" in found["part"]
               for found in json.loads(checked.stdout)["findings"])


@pytest.mark.skipif(STORE != "postgres", reason="PostgreSQL only: a data directory is refused without data")
def test_a_database_without_tables_has_no_answer(tmp_path):
    from harness import shared_postgres
    database = shared_postgres().database()
    env = {"HOOKYARD_DATABASE_URL": database, "HOOKYARD_ENCRYPTION_KEY": "5e" * 32}
    checked = command("check", env=env)
    assert checked.returncode == 2 and "no tables of Hookyard" in checked.stderr
    assert command("check", "--accept-loss", env=env).returncode == 2
