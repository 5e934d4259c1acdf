"""Mammoth's command line, unmodified: what it can do with the parts of its API that are served here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway import Gateway
from harness import command

PROGRAM = Path(sys.executable).with_name("mammoth")


def token(server, *scopes):
    asked = [part for scope in scopes for part in ("--scope", scope)]
    made = command("credential", "create", "--kind", "token", *asked, "--json", env=server.place)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)["token"]


class Cli:
    """A person at a terminal: a home directory, and the gateway that stands for the vendor's server."""

    def __init__(self, home, gateway, token):
        home.mkdir()
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"], "CI": "true",
                            "MAMMOTH_NO_UPDATE_CHECK": "1", **gateway.environment}
        self("auth", "login", "--method", "token", "--storage", "file", "--no-input",
             input={"api_token": token})
        self("context", "project", "use", "1")

    def process(self, *args, stdin=None):
        return subprocess.run([PROGRAM, *args], env=self.environment, input=stdin, text=True,
                              capture_output=True, timeout=120)

    def __call__(self, *args, input=None):
        """What one command says, which must succeed."""
        document = ["--input", "-", "--input-format", "json"] if input is not None else []
        done = self.process(*args, *document, stdin=input and json.dumps(input))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["data"]

    def run(self, *lines):
        """What the commands of lines say that one process runs: `(command, *positionals, input)`."""
        asked = []
        for cmd, *args, document in lines:
            line = {"cmd": cmd, "args": [str(arg) for arg in args], "flags": {"yes": True}}
            asked.append({**line, "input": document} if document is not None else line)
        done = self.process("run", "-", "--continue", stdin="\n".join(map(json.dumps, asked)))
        said = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(said) == len(lines) + 1, done.stdout + done.stderr
        return said[:-1]

    def all(self, *lines):
        """The same of commands which must all succeed."""
        said = self.run(*lines)
        assert all(one["exit"] == 0 for one in said), [one for one in said if one["exit"]]
        return [one["data"] for one in said]


@pytest.fixture(scope="module")
def gateway(server, tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), urlsplit(server.url).port)
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def cli(server, gateway, tmp_path_factory):
    home = tmp_path_factory.mktemp("person") / "home"
    return Cli(home, gateway, token(server, "data_read", "data_write", "admin"))


def test_its_doctor_finds_nothing_wrong(cli):
    found = cli("doctor")
    assert found["ok"] and all(check["ok"] for check in found["checks"])
    assert {"server", "connection", "token_scope", "projects"} <= {c["name"] for c in found["checks"]}


def test_a_webhook_is_made_fed_changed_and_deleted(cli):
    [made] = cli.all(("webhook create", "till", {"mode": "combine", "is_secure": True}))
    hook = made["webhook"]
    [changed] = cli.all(("webhook update", hook["id"], {"is_secure": False}))
    assert changed["webhook"]["mode"] == "combine"
    key, dataset = hook["uri"].rsplit("/", 1)[-1], hook["ds_id"]
    sent = cli.all(("webhook send", {"webhook_uri": key, "data": {"a": 1}}),
                   ("webhook send", {"webhook_uri": hook["uri"], "data": {"a": 2}}),
                   ("webhook send-get", {"webhook_uri": key, "params": {"a": "3"}}))
    assert [one["rows"] for one in sent] == [1, 1, 1]
    listed, data, read = cli.all(("webhook list", None), ("dataset data", dataset, None),
                                 ("webhook get", hook["id"], None))
    assert hook["id"] in [one["id"] for one in listed]
    assert [row[0] for row in data["data"].values()] == ['{"a":1}', '{"a":2}', '{"a":"3"}']
    assert read["webhook"]["uri"] == hook["uri"]
    gone, missing, kept = cli.run(("webhook delete", hook["id"], None),
                                  ("webhook get", hook["id"], None),
                                  ("dataset get", dataset, None))
    assert gone["exit"] == 0 and kept["exit"] == 0, "the dataset outlives its webhook"
    assert missing["exit"] == 5 and missing["error"]["code"] == "resource_not_found"


def test_datasets_and_batches_are_read_and_changed(cli):
    [made] = cli.all(("webhook create", "orders", {"mode": "combine"}))
    key, dataset = made["webhook"]["uri"].rsplit("/", 1)[-1], made["webhook"]["ds_id"]
    cli.all(*[("webhook send", {"webhook_uri": key, "data": {"n": n}}) for n in range(3)])
    batches, listed, found, searched, one = cli.all(
        ("batch list", dataset, None), ("dataset list", None), ("dataset find", "ORDERS", None),
        ("dataset search", "orders", None), ("dataset get", dataset, None))
    first, second, third = [batch["id"] for batch in batches["batches"]]
    assert dataset in [entry["id"] for entry in listed["datasets"]]
    assert [entry["id"] for entry in found["matches"]] == [dataset]
    assert [entry["id"] for entry in searched["datasets"]] == [dataset]
    assert one["dataset"]["sources"][0]["details"]["key"] == key

    def suspends(operation, batch):
        patch = {"op": "replace", "path": "batches", "value": {operation: [batch]}}
        return ("batch update", dataset, {"patch": patch})

    data, _, _, after, _, rest = cli.all(
        ("dataset batch-data", dataset, first, None), suspends("suspend", first),
        ("batch delete", dataset, second, None), ("dataset data", dataset, None),
        suspends("restore", first), ("dataset data", dataset, None))
    assert [row[0] for row in data["data"].values()] == ['{"n":0}']
    assert [row[0] for row in after["data"].values()] == ['{"n":2}']
    assert [row[0] for row in rest["data"].values()] == ['{"n":0}', '{"n":2}']
    renamed, _, left, job = cli.all(
        ("dataset rename", dataset, {"name": "orders of May"}),
        ("batch bulk-delete", dataset, {"ids": [first]}), ("batch list", dataset, None),
        ("job get", 1, None))
    assert renamed["name"] == "orders of May" and job["job"]["status"] == "success"
    assert [batch["id"] for batch in left["batches"]] == [third]
    deleted, resolved, views = cli.all(
        ("dataset delete", dataset, None), ("resolve", "orders of May", None), ("view list", None))
    assert deleted["deleted"] == [dataset] and deleted["state"]["absent"]
    assert resolved["matches"] == [] and views["dataviews"] == []


def test_folders_hold_what_is_moved_into_them(cli):
    made, outer, inner = cli.all(("webhook create", "bread", {"mode": "combine"}),
                                 ("folder create", "outer", None), ("folder create", "inner", None))
    dataset = made["webhook"]["ds_id"]
    renamed, found, one, moved = cli.all(
        ("folder update", outer["id"], {"name": "shop"}), ("folder find", "INN", None),
        ("folder get", inner["id"], None),
        ("folder move", {"dataset_ids": [dataset], "target_folder_resource_id": str(outer["id"])}))
    assert renamed["name"] == "shop" and one["name"] == "inner"
    assert [entry["id"] for entry in found["matches"]] == [inner["id"]]
    assert moved["job_id"]
    inside, bulk, resource, search = cli.all(
        ("browse resources", {"parent_type": "label", "parent_id": outer["id"]}),
        ("browse resources bulk", {"items": [["dataset", dataset]]}),
        ("browse resource", "dataset", dataset, None), ("browse search", {"search": "BREAD"}))
    for answer in (inside["resources"], bulk["resources"], [resource["resource"]],
                   search["resources"]):
        assert [entry["object_id"] for entry in answer] == [dataset]
    below, project, workspace, root = cli.all(
        ("browse folder", outer["id"], None), ("browse project", None), ("browse workspace", None),
        ("browse root", None))
    [shop] = below["resources"]
    assert [child["id"] for child in shop["children"]] == [dataset]
    assert {"shop", "inner"} <= {entry["name"] for entry in project["resources"]}
    names = {child["name"] for entry in workspace["resources"] for child in entry["children"]}
    assert {"shop", "inner"} <= names and root["resources"][0]["type"] == "workspace"
    back, top = cli.all(
        ("folder move", {"dataset_ids": [dataset], "target_folder_resource_id": "root"}),
        ("browse resources", {"parent_type": "label", "parent_id": outer["id"]}))
    assert back["job_id"] and top["resources"] == []
    cli.all(("folder delete", outer["id"], None), ("folder bulk-delete", {"folder_ids": [inner["id"]]}),
            ("dataset bulk-delete", {"dataset_ids": [dataset]}))
    [folders] = cli.all(("folder list", None))
    assert folders["folders"] == []


def test_projects_and_workspaces(cli):
    made, same, read, renamed, listed, current, own = cli.all(
        ("project create", "Analytics", {"color": "#337FBD"}), ("project ensure", "Analytics", None),
        ("project get", 1, None), ("project update", 1, {"name": "Main"}), ("project list", None),
        ("workspace current", None), ("workspace get", None))
    assert same["project_id"] == made["id"] and not same["created"]
    assert read["id"] == 1 and renamed["name"] == "Main"
    assert [project["name"] for project in listed["projects"]] == ["Main", "Analytics"]
    assert current["id"] == own["id"] == 1 and current["read_only"] is False


def test_what_a_token_may_not_do_is_said_by_its_exit(server, gateway, tmp_path):
    reader = Cli(tmp_path / "home", gateway, token(server, "data_read"))
    current, refused = reader.run(("workspace current", None), ("webhook create", "x", None))
    assert current["data"]["read_only"] is True
    assert refused["exit"] != 0 and refused["error"]["details"]["status_code"] == 403


def test_a_token_that_is_none_is_not_let_in(gateway, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [PROGRAM, "auth", "login", "--method", "token", "--storage", "file", "--no-input",
         "--input", "-", "--input-format", "json"],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "MAMMOTH_NO_UPDATE_CHECK": "1",
             **gateway.environment},
        input=json.dumps({"api_token": "mm_" + "x" * 43}), text=True, capture_output=True, timeout=60)
    assert done.returncode == 4, done.stdout + done.stderr
