"""Moving a data directory into PostgreSQL: killed again and again, and then the same to every API."""

import json
import pathlib
import signal
import subprocess

import pytest

from harness import BINARY, Postgres, Receiver, Server, command, environment, wait_until

# Large enough that they are several batches of the move.
EVENTS, EVENT_BYTES = 200, 150_000


@pytest.fixture(scope="module")
def postgres():
    server = Postgres("fsync=off", "full_page_writes=off")
    yield server
    server.close()


@pytest.fixture
def own(tmp_path):
    server = Server(tmp_path)
    if "HOOKYARD_DATA" not in server.place:
        pytest.skip("this is about a data directory")
    yield server.start()
    if server.process.poll() is None:
        server.stop(signal.SIGKILL)


def native(server, method, path, body=None):
    headers = {"x-ultracart-simple-key": server.simple_key}
    answer = server.http(method, path, body, headers)
    assert 200 <= answer.status < 300, (method, path, answer.body)
    return answer.json if answer.body else None


def endpoint(server, url, event_type, **settings):
    settings = {"url": url, "subscriptions": [{"event_type": event_type}], **settings}
    return native(server, "POST", "/v1/endpoints", settings)["id"]


def fill(server, taken):
    """Has the server keep something of everything that its APIs can make."""
    folder = native(server, "POST", "/v1/folders", {"name": "orders"})["id"]
    native(server, "POST", "/v1/event-types", {"name": "shop.opened", "category": "shop"})
    native(server, "POST", "/v1/projects", {"name": "second"})
    native(server, "POST", "/v1/applications", {
        "name": "Reports", "scopes": ["webhook_read"], "redirect_uris": ["https://reports.test/back"],
    })
    for mode in ["combine", "replace"]:
        source = native(server, "POST", "/v1/sources", {"mode": mode, "name": mode})
        for number in range(5):
            assert server.http("POST", source["path"], json.dumps({"n": number})).status == 201
        assert server.http("POST", source["path"], "x", {"content-encoding": "br"}).status >= 400
        # They are written a few seconds later.
        path = f"/v1/sources/{source['id']}/rejections"
        wait_until(lambda: native(server, "GET", path)["rejections"])
        dataset = f"/v1/datasets/{source['dataset']}"
        native(server, "PATCH", dataset, {"folder": folder})
    delivered = endpoint(server, taken.url, "item_update")
    server.publish_all([("item_update", {"n": n}, f"item-{n}") for n in range(3)])
    path = f"/v1/endpoints/{delivered}"
    wait_until(lambda: native(server, "GET", path)["queue"]["pending"] == 0)
    large = "x" * EVENT_BYTES
    for start in range(0, EVENTS, 50):
        server.publish_all(
            [("item_delete", {"large": large}, f"large-{n}") for n in range(start, start + 50)]
        )
    return delivered


# The audit log's actions for looking: at secrets in a list, and at pages of events and rows.
LOOKED = ("endpoint.list_passwords", "source.list_secrets", "event.read", "dataset.read_rows")


def seen(server, delivered):
    """What the APIs say of what there is."""
    found = {}
    for path in [
        "workspace", "projects", "event-types", "endpoints", f"endpoints/{delivered}/attempts",
        "events?limit=3", "sources", "datasets", "folders", "applications", "audit",
    ]:
        found[path] = native(server, "GET", f"/v1/{path}")
    # Looking is noted once an hour for each server.
    entries = found["audit"]["entries"]
    entries[:] = [entry for entry in entries if entry["action"] not in LOOKED]
    for other in found["endpoints"]["endpoints"]:
        # What is delivered meanwhile is another matter.
        if other["id"] != delivered:
            del other["queue"], other["circuit"]
    for source in found["sources"]["sources"]:
        # Each server listens on a port of its own.
        assert source.pop("url").startswith(server.url)
        for what in ["deliveries", "rejections"]:
            path = f"/v1/sources/{source['id']}/{what}"
            found[path] = native(server, "GET", path)
        for what in ["rows", "versions", "batches"]:
            path = f"/v1/datasets/{source['dataset']}/{what}"
            found[path] = native(server, "GET", path)
    webhooks = server.ultracart("GET", "/webhook/webhooks").json["webhooks"]
    found["ultracart"] = [one for one in webhooks if one["webhook_oid"] == delivered]
    path = "/workspaces/1/projects/1/webhooks"
    found["mammoth"] = server.http("GET", path, headers=server.pair).json
    return found


def migrate_until(server, place, word):
    """Starts a move and kills it when its log has a line with a word; the exit code."""
    process = subprocess.Popen(
        [BINARY, "migrate", "--log-level", "debug"], cwd=server.directory,
        env={**environment(), **place}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    for line in process.stderr:
        if word in line:
            process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.stderr.close()
    return process.wait(20)


def test_a_killed_move_goes_on_and_everything_is_there(own, postgres):
    place = {**own.place, "HOOKYARD_DATABASE_URL": postgres.database()}
    name = place["HOOKYARD_DATABASE_URL"].rsplit("/", 1)[1]
    # What is queued for the second is in flight when the server is killed.
    with Receiver() as taken, Receiver(script=[60.0]) as held:
        delivered = fill(own, taken)
        queued = endpoint(own, held.url, "order_create", maximum_events=10,
                          auth={"kind": "basic", "username": "me", "password": "pässword"})
        for start in range(0, 25, 5):
            own.publish_all(
                [("order_create", {"n": n}, f"order-{n}") for n in range(start, start + 5)]
            )
        wait_until(lambda: held.deliveries)
        in_use = command("migrate", env=place)
        assert in_use.returncode == 1 and "stop that one" in in_use.stderr
        expected = seen(own, delivered)
        own.stop(signal.SIGKILL)

        for word in ["table=\"workspaces\"", "table=\"journal\"", "table=\"audit\"", "both sides"]:
            assert migrate_until(own, place, word) == -signal.SIGKILL, word
            assert postgres.sql("SELECT finished FROM moves", name) == "f"
        other = {**own.place, "HOOKYARD_DATABASE_URL": place["HOOKYARD_DATABASE_URL"],
                 "HOOKYARD_ENCRYPTION_KEY_FILE": str(own.data / "key")}
        refused = command("serve", env=other)
        assert refused.returncode == 1 and "`hookyard migrate` again" in refused.stderr
        refused = command("serve", env=own.place)
        assert refused.returncode == 1 and "`hookyard migrate` again" in refused.stderr

        done = command("migrate", "--json", env=place)
        assert done.returncode == 0, done.stderr
        tables = {table["table"]: table["rows"] for table in json.loads(done.stdout)["tables"]}
        assert tables["journal"] == 3 + EVENTS + 25 and tables["queue_chunks"] > 0
        assert (own.directory / "data" / "move").exists()

        moved = Server(own.directory, beside=own)
        moved.place = other
        moved.start()
        try:
            assert seen(moved, delivered) == expected
            orders = lambda: [event["order_create"]["n"] for event in held.events()]
            wait_until(lambda: len(set(orders())) == 25)
            # Only what was in flight came twice.
            first = len(held.deliveries[0].events)
            assert orders() == [*range(first), *range(25)]
            assert all(d.headers["Authorization"] == held.deliveries[0].headers["Authorization"]
                       for d in held.deliveries)
            state = lambda: native(moved, "GET", f"/v1/endpoints/{queued}")["queue"]["pending"]
            wait_until(lambda: state() == 0)
            again = moved.publish("item_update", {"n": 0}, "item-0")
            assert again["duplicate"]
        finally:
            assert moved.stop() == 0
        refused = command("serve", env=own.place)
        assert refused.returncode == 1 and "was moved to a PostgreSQL database" in refused.stderr
        again = command("migrate", env=place)
        assert again.returncode == 0 and "moved before" in again.stdout


def test_what_cannot_be_moved_is_refused_with_what_to_do(own, postgres, tmp_path):
    url = postgres.database()
    place = {**own.place, "HOOKYARD_DATABASE_URL": url}
    own.stop()
    missing = command("migrate", env=own.place)
    assert missing.returncode == 1 and "HOOKYARD_DATABASE_URL" in missing.stderr
    nothing = command("migrate", env={**place, "HOOKYARD_DATA": str(tmp_path / "nothing")})
    assert nothing.returncode == 1 and "there is no data" in nothing.stderr
    other_key = tmp_path / "other"
    other_key.write_text("ab" * 32)
    used = Server(pathlib.Path(tmp_path), database=postgres.database())
    full = command("migrate", env={**own.place, "HOOKYARD_DATABASE_URL": used.place["HOOKYARD_DATABASE_URL"]})
    assert full.returncode == 1 and "not empty" in full.stderr
    # Nothing was begun, so the directory is still of use.
    own.start()
    own.stop()
    done = command("migrate", env=place)
    assert done.returncode == 0, done.stderr
    assert f"--encryption-key-file {own.data / 'key'}" in done.stdout
    wrong = command("serve", env={"HOOKYARD_DATABASE_URL": url, "HOOKYARD_ENCRYPTION_KEY_FILE": str(other_key)})
    assert wrong.returncode == 1 and "encryption key" in wrong.stderr
