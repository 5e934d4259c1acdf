"""Ten generations of the UltraCart SDK, unmodified, on one workspace that has what each of them lacks."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from harness import ROOT, environment, wait_until

HERE = pathlib.Path(__file__).parent
SDKS = pathlib.Path(os.environ.get("HOOKYARD_TEST_SDKS", ROOT / ".venv/generations/sdks"))
VERSIONS = [line.split()[0] for line in (HERE / "versions.txt").read_text().splitlines()
            if line and not line.startswith("#")]

# What the newest SDKs write and the older ones cannot read, or do not know.
NEWER = [
    {"webhook_url": "https://hooks.example.com/iam", "authentication_type": "aws iam",
     "iam_access_key": "A", "iam_secret_key": "S"},
    {"webhook_url": "https://hooks.example.com/user", "authentication_type": "api user"},
    {"webhook_url": "https://hooks.example.com/named", "name": "N", "merchant_comments": "C",
     "compress_events": True},
    {"webhook_url": "https://hooks.example.com/ruled", "event_categories": [
        {"event_category": "order", "events": [
            {"event_name": "order_create", "subscribed": True,
             "event_ruler": '{"current_stage":["Shipping Department"]}'}]}]},
]


@pytest.fixture(scope="module")
def workspace(server):
    for webhook in NEWER:
        made = server.ultracart("POST", "/webhook/webhooks", webhook)
        assert made.status == 200, made.body
    return server


def number(version):
    return tuple(int(part) for part in version.split("rc")[0].split("."))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_generation_does_all_that_it_knows(workspace, receiver, version):
    run = subprocess.Popen(
        [sys.executable, HERE / "flow.py", f"{workspace.url}/rest/v2", workspace.simple_key,
         receiver.url],
        env={**environment(), "PYTHONPATH": str(SDKS / version), "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = run.stdout.readline()
        if first:
            workspace.publish("item_update", {"merchant_item_oid": 1}, f"of-{version}")
            wait_until(lambda: receiver.deliveries, what="the delivery")
        out, err = run.communicate("\n", timeout=60)
    finally:
        run.kill()
    assert run.returncode == 0, err[-3000:]
    said = json.loads(out)
    assert version.split("rc")[0] in said["agent"], "another SDK was run"
    assert said["password"] and said["subscribed"] == ["item_create", "item_update"]
    assert {webhook["webhook_url"] for webhook in NEWER} <= set(said["urls"])
    assert said["more"] is True and said["maximum_events"] == 25
    assert said["status_code"] == 200 and "content-type" in said["headers"]
    # An SDK sees the member of its own models.
    knows_reflow = number(version) >= (4, 0, 242) or number(version)[:2] == (3, 11)
    assert ("reflow" if knows_reflow else "webhook_sample_request") in said["reflow"]
    assert said["not_reflowed"] == said["deleted_twice"] == 400
    assert said["by_url"] == "https://hooks.example.com/by-url"
    assert len(receiver.events()) >= 1
