"""The Mammoth API through the unmodified SDK, over plain HTTP, and by its OpenAPI description."""

import subprocess
import sys

import pytest
from mammoth import MammothAPIError, MammothAuthError, MammothClient

from harness import ROOT, Server, environment


@pytest.fixture
def client(server):
    client = MammothClient(server.credentials["api_key"], server.credentials["api_secret"],
                           server.credentials["workspace_id"], base_url=server.url)
    client.set_project_id(server.credentials["project_id"])
    return client


def cells(client, dataset):
    data = client.datasets.get_data(dataset)["data"]
    return [row[0] for _, row in sorted(data.items(), key=lambda item: int(item[0]))]


def test_a_source_lives_and_its_dataset_outlives_it(client):
    assert client.test_connection()
    made = client.webhooks.create(name="orders", mode="combine", is_secure=True,
                                  folder_resource_id="label_1363")["webhook"]
    key = made["uri"].rsplit("/", 1)[-1]
    assert made["secret"] and len(key) == 24 and key.isalnum()
    assert [hook["id"] for hook in client.webhooks.list()] == [made["id"]]
    assert client.webhooks.get(made["id"])["webhook"] == made

    for payload in ({"a": 1}, [{"a": 2}]):
        assert client.webhooks.send_data(key, payload) == {"status": "ok", "rows": 1}
    assert client.webhooks.send_data(made["uri"], {"a": 3})["rows"] == 1
    assert client.webhooks.send_data_get(key, {"q": "x"})["rows"] == 1
    assert client.webhooks.send_data(key, {}) == {"status": "ok", "rows": 0}
    assert cells(client, made["ds_id"]) == ['{"a": 1}', '[{"a": 2}]', '{"a": 3}', '{"q":"x"}']
    assert len(client.batches.list(made["ds_id"])["batches"]) == 4
    assert client.datasets.get(made["ds_id"])["dataset"]["id"] == made["ds_id"]

    changed = client.webhooks.update(made["id"], mode="replace", origins="https://a.example",
                                     is_secure=False)["webhook"]
    assert (changed["mode"], changed["origins"], changed["secret"]) == (
        "replace", "https://a.example", None)
    assert client.webhooks.update(made["id"])["webhook"] == changed
    client.webhooks.send_data(key, {"only": True})
    assert cells(client, made["ds_id"]) == ['{"only": true}']

    assert client.webhooks.delete(made["id"]) == {}
    with pytest.raises(MammothAPIError) as gone:
        client.webhooks.get(made["id"])
    assert gone.value.status_code == 404
    assert cells(client, made["ds_id"]) == ['{"only": true}']


def test_batches_are_suspended_and_deleted_by_jobs(client):
    made = client.webhooks.create(name="jobs", mode="combine")["webhook"]
    key, dataset = made["uri"].rsplit("/", 1)[-1], made["ds_id"]
    for number in range(3):
        client.webhooks.send_data(key, {"n": number})
    first, second, third = [batch["id"] for batch in client.datasets.list_batches(dataset)]

    accepted = client.batches.update(dataset, [{"op": "replace", "value": {"suspend": [first]}}])
    assert client.jobs.wait_for_job(accepted["job_id"])["status"] == "success"
    assert cells(client, dataset) == ['{"n": 1}', '{"n": 2}']
    assert client.batches.get(dataset, first)["batch"]["state"] == "suspended"
    accepted = client.batches.update(dataset, [{"op": "replace", "value": {"restore": [first]}},
                                               {"op": "remove", "value": [second]}])
    jobs = client.jobs.get_jobs([accepted["job_id"]])["jobs"]
    assert jobs[0]["response"] == {"batch_ids": [first, second]}
    assert cells(client, dataset) == ['{"n": 0}', '{"n": 2}']
    accepted = client.batches.delete(dataset, third)
    assert accepted["status_code"] == 202
    assert cells(client, dataset) == ['{"n": 0}']


def test_datasets_are_renamed_and_put_in_folders(client):
    outer = client.folders.create("outer")
    inner = client.folders.create("inner", parent_resource_id=f"label_{outer.id}")
    assert (inner.parent_id, inner.resource_id) == (outer.id, inner.id)
    made = client.webhooks.create(name="before", folder_resource_id=f"label_{inner.id}")["webhook"]
    client.datasets.rename(made["ds_id"], "after")
    dataset = client.datasets.get(made["ds_id"])["dataset"]
    assert dataset["name"] == "after"
    assert dataset["resource_path"].endswith(
        f"/label:outer:{outer.id}/label:inner:{inner.id}/datasource:after:{made['ds_id']}")
    assert [folder.name for folder in client.folders.list(names=["inner"]).folders] == ["inner"]

    moved = client.folders.move([f"datasource_{made['ds_id']}"])
    assert moved.status_code == 202
    assert "label" not in client.datasets.get(made["ds_id"])["dataset"]["resource_path"]
    client.folders.delete([outer.id])
    assert client.folders.list(folder_ids=[outer.id, inner.id]).folders == []
    client.datasets.delete(made["ds_id"])
    with pytest.raises(MammothAPIError) as gone:
        client.datasets.get(made["ds_id"])
    assert gone.value.status_code == 404


def test_errors_are_typed(client, server):
    with pytest.raises(MammothAPIError) as bad:
        client.webhooks.create(mode="bad")
    assert bad.value.status_code == 400 and "detail" in bad.value.response_body
    wrong = MammothClient(server.credentials["api_key"], "no", 1, base_url=server.url)
    wrong.set_project_id(1)
    with pytest.raises(MammothAuthError):
        wrong.webhooks.list()
    assert not wrong.test_connection()


def test_another_workspace_is_forbidden(client, server):
    path = "/workspaces/999/projects/1/webhooks"
    assert server.http("GET", path, headers=server.pair).status == 403


@pytest.mark.parametrize("prefix", ["", "/api/v2"])
def test_the_openapi_description_holds(tmp_path, prefix):
    server = Server(tmp_path, "--log-level", "warn").start()
    headers = [arg for name, value in server.pair.items() for arg in ("-H", f"{name}: {value}")]
    run = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", ROOT / "tests/mammoth_openapi.json", "--url",
         server.url + prefix, "--max-examples", "25", "--seed", "1", "--no-color", *headers],
        env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=400)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert server.http("GET", "/readyz").status == 200
    assert server.stop() == 0
