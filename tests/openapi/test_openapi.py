"""The OpenAPI description, read by a linter, by a validator and by generators of clients."""

import json
import os
import pathlib
import subprocess
import sys

import jsonschema
import pytest

from harness import Server

HERE = pathlib.Path(__file__).parent
NODE = HERE / "node"
# The linter asks nobody for its newest version, and tells nobody that it ran.
QUIET = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


@pytest.fixture(scope="module")
def description(server, tmp_path_factory):
    """The file of the description, as the server sends it."""
    path = tmp_path_factory.mktemp("description") / "openapi.json"
    path.write_bytes(server.http("GET", "/v1/openapi.json").body)
    return path


def run(*args, cwd=None):
    return subprocess.run(
        [str(arg) for arg in args], cwd=cwd, env=QUIET, capture_output=True, text=True, timeout=120)


def published(server, event_id):
    """The event of the journal with an id."""
    answer = server.http("GET", f"/v1/events/{event_id}", headers=server.pair)
    assert answer.status == 200, answer.body
    return answer.json["event"]


def test_the_linter_finds_no_error(description):
    found = run(NODE / "node_modules/.bin/redocly", "lint", description, "--format=json",
                "--max-problems=1000")
    assert found.returncode == 0, found.stdout + found.stderr
    totals = json.loads(found.stdout)["totals"]
    assert (totals["errors"], totals["warnings"]) == (0, 0), found.stdout


def examples(document):
    """Every example of the description with its schema and its place."""
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            yield name, {"$ref": f"#/components/schemas/{name}"}, example
    for name, response in document["components"]["responses"].items():
        for content in response["content"].values():
            for code, example in content["examples"].items():
                yield f"{name} {code}", content["schema"], example["value"]


def test_every_example_conforms_to_its_schema(description):
    document = json.loads(description.read_text())
    found = list(examples(document))
    assert len(found) > 50
    for place, schema, example in found:
        whole = {**schema, "components": document["components"]}
        errors = list(jsonschema.Draft202012Validator(whole).iter_errors(example))
        assert not errors, f"{place}: {errors[0].json_path}: {errors[0].message}"


def test_the_server_of_the_description_is_the_public_url(description, tmp_path):
    assert json.loads(description.read_text())["servers"][0]["url"] == "/"
    server = Server(tmp_path, "--public-url", "https://hooks.example.com/in").start()
    try:
        document = server.http("GET", "/v1/openapi.json").json
        assert document["servers"][0]["url"] == "https://hooks.example.com/in"
    finally:
        stopped = server.stop()
    assert stopped == 0


PUBLISH = """
import sys
from hookyard_native_api_client import AuthenticatedClient
from hookyard_native_api_client.api.events import publish_batch, publish_event
from hookyard_native_api_client.models import CloudEvent, CloudEventData

client = AuthenticatedClient(sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)

def event(id):
    data = CloudEventData.from_dict({"order_id": id})
    return CloudEvent(specversion="1.0", id=id, source="/shop", type_="order_create", data=data)

receipt = publish_event.sync(client=client, body=event("python-1"))
assert (receipt.id, receipt.duplicate) == ("python-1", False), receipt
receipts = publish_batch.sync(client=client, body=[event("python-1"), event("python-2")])
assert [receipt.duplicate for receipt in receipts] == [True, False], receipts
"""


def test_a_generated_python_client_publishes(server, description, tmp_path):
    made = run(pathlib.Path(sys.executable).parent / "openapi-python-client", "generate",
               "--path", description, "--meta", "none",
               "--output-path", tmp_path / "hookyard_native_api_client")
    assert made.returncode == 0, made.stdout + made.stderr
    compiled = run(sys.executable, "-m", "compileall", "-q", tmp_path)
    assert compiled.returncode == 0, compiled.stdout
    (tmp_path / "publish.py").write_text(PUBLISH)
    token = server.credential("--kind", "token", "--scope", "event_write")["token"]
    ran = run(sys.executable, "publish.py", server.url, token, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert published(server, "python-2")["data"] == {"order_id": "python-2"}


PUBLISH_TS = """
import createClient from "openapi-fetch";
import type { paths, components } from "./description";

const [url, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${token}` } });

const event = (id: string): components["schemas"]["CloudEvent"] => ({
  specversion: "1.0", id, source: "/shop", type: "order_create", data: { order_id: id },
});

const one = await client.POST("/v1/events", {
  body: event("typescript-1"), headers: { "content-type": "application/cloudevents+json" },
});
if (one.error) throw new Error(one.error.detail ?? one.error.code);
if (one.data.id !== "typescript-1" || one.data.duplicate) throw new Error(JSON.stringify(one.data));

const batch = await client.POST("/v1/event-batches", {
  body: [event("typescript-1"), event("typescript-2")],
  headers: { "content-type": "application/cloudevents-batch+json" },
});
if (batch.error) throw new Error(batch.error.detail ?? batch.error.code);
if (batch.data.map((receipt) => receipt.duplicate).join() !== "true,false") throw new Error("batch");
"""


def test_a_generated_typescript_client_publishes(server, description, tmp_path):
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    tools = NODE / "node_modules/.bin"
    made = run(tools / "openapi-typescript", description, "-o", tmp_path / "description.ts")
    assert made.returncode == 0, made.stderr
    (tmp_path / "publish.ts").write_text(PUBLISH_TS)
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": {
        "strict": True, "target": "es2022", "module": "es2022", "moduleResolution": "bundler",
        "lib": ["es2022", "dom"], "types": ["node"]}, "files": ["publish.ts"]}))
    compiled = run(tools / "tsc", "--project", tmp_path)
    assert compiled.returncode == 0, compiled.stdout
    token = server.credential("--kind", "token", "--scope", "event_write")["token"]
    ran = run("node", "publish.js", server.url, token, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert published(server, "typescript-2")["data"] == {"order_id": "typescript-2"}
