"""Mammoth's MCP server, unmodified, with its tools that only read what is served here.

The MCP server lets a token in only if `GET /workspaces/current` says that the token was issued for that
MCP server, which no token of Hookyard's is. So the tools are tried through a relay that says so."""

import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet

from harness import command, wait_until

PROGRAM = Path(sys.executable).with_name("mammoth-mcp-server")


class Relay:
    """Passes requests on to the server under test, and names the resource that a token is for."""

    def __init__(self, server, resource):
        target = urlsplit(server.url)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                far = http.client.HTTPConnection(target.hostname, target.port, timeout=30)
                try:
                    far.request("GET", self.path, headers={
                        "Authorization": self.headers.get("Authorization", "")})
                    answer = far.getresponse()
                    status, body = answer.status, answer.read()
                finally:
                    far.close()
                if status == 200 and resource and self.path.endswith("/workspaces/current"):
                    body = json.dumps({**json.loads(body), "resource": resource}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/api/v2"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class Mcp:
    """The MCP server as a process, in front of an API."""

    def __init__(self, api, port, directory):
        self.port = port
        self.log = open(directory / "mcp.log", "wb")
        settings = {"MAMMOTH_API_URL": api, "MCP_SERVER_URL": f"http://127.0.0.1:{port}",
                    "MCP_PORT": str(port), "MCP_ENCRYPTION_KEY": Fernet.generate_key().decode(),
                    "PATH": os.environ["PATH"], "HOME": str(directory)}
        self.process = subprocess.Popen([PROGRAM], env=settings, stdout=self.log, stderr=self.log)
        wait_until(self._answers, 60, "the MCP server")

    def _answers(self):
        assert self.process.poll() is None, "the MCP server ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, token, method, params):
        """The status and the answer to one JSON-RPC request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/mcp", json.dumps(
                {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), {
                    "Authorization": f"Bearer {token}", "Content-Type": "application/json",
                    "Accept": "application/json, text/event-stream",
                    "MCP-Protocol-Version": "2025-06-18"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def tool(self, token, name, **arguments):
        """What a tool says, which must succeed."""
        status, answer = self.ask(token, "tools/call", {"name": name, "arguments": arguments})
        assert status == 200 and not answer["result"].get("isError"), answer
        return json.loads(answer["result"]["content"][0]["text"])

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.log.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def token(server):
    made = command("credential", "create", "--kind", "token", "--scope", "data_read", "--json",
                   env=server.place)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)["token"]


@pytest.fixture(scope="module")
def mcp(server, tmp_path_factory):
    port = free_port()
    relay = Relay(server, f"http://127.0.0.1:{port}/mcp")
    mcp = Mcp(relay.url, port, tmp_path_factory.mktemp("mcp"))
    yield mcp
    mcp.close()
    relay.close()


def test_its_tools_find_workspaces_projects_and_datasets(server, mcp, token):
    made = server.http("POST", "/api/v2/workspaces/1/projects/1/webhooks", {"name": "orders"},
                       server.pair)
    assert made.status == 201, made.body
    dataset = made.json["webhook"]["ds_id"]
    [workspace] = mcp.tool(token, "list_workspaces")["workspaces"]
    assert workspace["id"] == 1
    [project] = mcp.tool(token, "list_projects", workspace_id=1)["projects"]
    assert project["id"] == 1
    here = {"workspace_id": 1, "project_id": 1}
    [listed] = mcp.tool(token, "list_datasets", **here)["datasets"]
    assert (listed["id"], listed["name"]) == (dataset, "orders")
    one = mcp.tool(token, "get_dataset", dataset_id=dataset, **here)
    assert "orders" in json.dumps(one)
    assert mcp.tool(token, "list_views", dataset_id=dataset, **here)["dataviews"] == []


def test_a_token_of_a_project_lists_that_project(server, mcp):
    made = command("credential", "create", "--kind", "token", "--scope", "data_read", "--json",
                   "--project", "1", env=server.place)
    assert made.returncode == 0, made.stderr
    [project] = mcp.tool(json.loads(made.stdout)["token"], "list_projects", workspace_id=1)["projects"]
    assert project == {"id": 1, "name": "Default"}


def test_tokens_are_issued_for_no_mcp_server(server, token, tmp_path):
    """Were this to change, the relay could go."""
    port = free_port()
    mcp = Mcp(f"{server.url}/api/v2", port, tmp_path)
    try:
        status, _ = mcp.ask(token, "tools/list", {})
        assert status == 401
    finally:
        mcp.close()
