"""The newest Mammoth SDK, unmodified: with a key pair, and with a token that knows its workspace alone."""

import asyncio
import json

import pytest
from mammoth import MammothClient
from mammoth.client import server_health

from harness import command


@pytest.fixture(params=["pair", "token"])
def client(server, request):
    """A client of the project; the SDK asks the server which workspace a token is of."""
    credentials = server.credentials
    options = {"base_url": f"{server.url}/api/v2", "allow_insecure_loopback_http": True}
    if request.param == "pair":
        client = MammothClient(credentials["api_key"], credentials["api_secret"],
                               credentials["workspace_id"], **options)
    else:
        client = MammothClient(api_token=token(server), **options)
    client.set_project_id(credentials["project_id"])
    return client


def token(server):
    scopes = [part for scope in ("data_read", "data_write", "admin") for part in ("--scope", scope)]
    made = command("credential", "create", "--kind", "token", *scopes, "--json",
                   cwd=server.directory, env=server.place)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)["token"]


def run(steps):
    """Runs a test of the SDK's coroutines."""
    return asyncio.run(steps)


def test_health_needs_no_credential(server):
    found = server_health(f"{server.url}/api/v2")
    assert found["status_code"] == 200 and found["version"]


def test_a_client_finds_its_workspace_and_keeps_projects(client):
    async def steps():
        current = await client.workspaces.current()
        assert (current.id, current.project, current.read_only) == (1, None, False)
        assert (await client.workspaces.get())["id"] == 1
        made = await client.projects.create("Analytics", color="#337FBD")
        renamed = await client.projects.update(made["id"], name="Sales")
        assert renamed["name"] == "Sales"
        projects = await client.projects.list_all()
        assert {"id": made["id"], "name": "Sales"} in projects

    run(steps())


def test_a_webhook_is_fed_and_read(client):
    async def steps():
        webhook = (await client.webhooks.create(name="orders", mode="combine"))["webhook"]
        key, dataset = webhook["uri"].rsplit("/", 1)[-1], webhook["ds_id"]
        assert (await client.webhooks.send_data(key, {"a": 1}))["rows"] == 1
        assert (await client.webhooks.send_data_get(key, {"a": "2"}))["rows"] == 1
        data = await client.datasets.get_data(dataset)
        assert [row[0] for row in data["data"].values()] == ['{"a":1}', '{"a":"2"}']
        batches = await client.datasets.list_batches(dataset)
        first = await client.datasets.get_batch_data(dataset, batches[0]["id"])
        assert first["data"]["1"][0] == '{"a":1}' and len(first["data"]) == 1
        assert (await client.dataviews.list(dataset))["dataviews"] == []
        await client.datasets.rename(dataset, "orders of May")
        found = (await client.datasets.search("ORDERS OF"))["datasets"]
        assert found[-1]["name"] == "orders of May"
        await client.datasets.delete(dataset)

    run(steps())


def test_folders_are_renamed_and_datasets_moved_into_them(client):
    async def steps():
        webhook = (await client.webhooks.create(name="till", mode="combine"))["webhook"]
        outer = await client.folders.create("outer")
        inner = await client.folders.create("inner")
        assert (await client.folders.update(outer.id, "shop")).name == "shop"
        job = await client.folders.move(dataset_ids=[webhook["ds_id"]], resource_ids=[inner.resource_id],
                                        target_folder_resource_id=str(outer.id))
        await client.jobs.wait_for_job(job.job_id)
        inside = await client.browse.resources_list(parent_type="label", parent_id=outer.id)
        assert sorted(one["name"] for one in inside["resources"]) == ["inner", "till"]
        way = await client.browse.resource_ancestors(int(inner.resource_id))
        assert [one["name"] for one in way["resources"]] == ["shop", "inner"]
        found = await client.browse.resources_search(search="TILL")
        assert [one["object_id"] for one in found["resources"]] == [webhook["ds_id"]]
        await client.folders.delete([outer.id])

    run(steps())


def test_datasets_go_to_the_trash_and_come_back(client):
    async def steps():
        webhook = (await client.webhooks.create(name="parcels", mode="combine"))["webhook"]
        key, dataset = webhook["uri"].rsplit("/", 1)[-1], webhook["ds_id"]
        await client.webhooks.send_data(key, {"a": 1})
        done = await client.wait_if_job(await client.datasets.trash(dataset))
        assert done["succeeded"][0]["name"] == "parcels"
        listed = (await client.datasets.list())["datasets"]
        assert dataset not in [one["id"] for one in listed]
        trashed = await client.trash.list(type="dataset", q="PARCELS", folder_root="true", limit=5)
        assert [(one["id"], one["type"]) for one in trashed["items"]] == [(dataset, "dataset")]
        assert trashed["items"][0]["days_until_purge"] == trashed["retention_days"] == 30
        await client.webhooks.send_data(key, {"a": 2})
        await client.wait_if_job(await client.datasets.restore(dataset))
        data = await client.datasets.get_data(dataset)
        assert [row[0] for row in data["data"].values()] == ['{"a":1}', '{"a":2}']

        items = [{"id": dataset, "type": "dataset"}, {"id": dataset, "type": "dataview"}]
        done = await client.wait_if_job(await client.trash.add(items))
        assert [len(done[part]) for part in ("succeeded", "failed")] == [1, 1]
        done = await client.wait_if_job(await client.trash.restore(items[:1]))
        assert done["failed"] == []
        await client.datasets.trash(dataset)
        assert (await client.datasets.get(dataset))["dataset"]["name"] == "parcels"
        await client.datasets.delete(dataset)
        assert (await client.trash.list(q="parcels"))["total"] == 0

    run(steps())


def test_a_folder_goes_to_the_trash_and_is_made_again(client):
    async def steps():
        webhook = (await client.webhooks.create(name="crates", mode="combine"))["webhook"]
        outer = await client.folders.create("yard")
        inner = await client.folders.create("hall", parent_resource_id=str(outer.resource_id))
        job = await client.folders.move(dataset_ids=[webhook["ds_id"]], resource_ids=[],
                                        target_folder_resource_id=str(inner.id))
        await client.jobs.wait_for_job(job.job_id)
        trashed = await client.folders.trash(outer.id)
        assert trashed.job.response["folder_deleted"] is True
        assert [one["name"] for one in trashed.job.response["succeeded"]] == ["crates"]
        found = await client.trash.list(q="crates")
        assert found["items"][0]["original_folder_path"] == ["yard", "hall"]
        await client.wait_if_job(await client.datasets.restore(webhook["ds_id"]))
        found = (await client.browse.resources_search(search="crates"))["resources"]
        way = await client.browse.resource_ancestors(found[0]["parent_resource_id"])
        assert [one["name"] for one in way["resources"]] == ["yard", "hall"]

    run(steps())
