"""Mammoth's first SDK (`mammoth-analytics-sdk`), unmodified. It posts data to a source's `uri` below `/api/v1`,
and takes every status but 200 for a failure; its other calls are of an API that is not served here."""

import pytest
from MammothAnalytics.mammoth import MammothConnector


@pytest.mark.parametrize("secure", [False, True])
def test_data_is_posted(server, secure):
    made = server.http("POST", "/api/v2/workspaces/1/projects/1/webhooks",
                       {"name": "first", "mode": "combine", "is_secure": secure}, server.pair)
    webhook = made.json["webhook"]
    client = MammothConnector(
        workspace_id=1, project_id=1, api_url=f"{server.url}/api/v1",
        api_key=server.credentials["api_key"], api_secret=server.credentials["api_secret"])
    assert client.post_data_to_webhook(webhook["uri"], {"a": 1})["rows"] == 1
    assert client.post_data_to_webhook(webhook["uri"].lstrip("/"), [{"a": 2}])["rows"] == 1
    data = server.http("GET", f"/api/v2/workspaces/1/projects/1/datasets/{webhook['ds_id']}/data",
                       headers=server.pair).json["data"]
    assert [row[0] for _, row in sorted(data.items())] == ['{"a": 1}', '[{"a": 2}]']
