"""The native API by its own OpenAPI description."""

import json
import subprocess
import sys

from harness import Server, environment

# Where a value that fits its schema can still be wrong: a URL whose host must not be reached, a rule
# that does not parse, an event type that is not there. 400 is right then.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412"]
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "414", "415", "422"]
"""

# How values become a body of lines, which the checker does not know by itself.
LINES = """
import json
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    rows = value if isinstance(value, list) else [value]
    return "".join(json.dumps(row) + chr(10) for row in rows).encode()
"""


def checked(server, directory, *args):
    """Runs the checker over the whole description with the key; what it says when it fails."""
    (directory / "schemathesis.toml").write_text('hooks = "lines"' + CONFIG)
    (directory / "lines.py").write_text(LINES)
    run = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", server.url + "/v1/openapi.json",
         "--max-examples", "25", "--seed", "1", "--no-color", "--suppress-health-check", "all",
         "-H", f"x-ultracart-simple-key: {server.simple_key}", *args],
        env=environment(), cwd=directory, capture_output=True, text=True, timeout=500)
    return run.returncode, run.stdout[-8000:] + run.stderr[-2000:]


def test_the_description_is_of_3_1(server):
    answer = server.http("GET", "/v1/openapi.json")
    assert answer.status == 200 and answer.header("content-type") == ["application/json"]
    assert json.loads(answer.body)["openapi"] == "3.1.0"


def test_the_description_holds(tmp_path):
    server = Server(tmp_path, "--log-level", "warn").start()
    try:
        code, said = checked(server, tmp_path)
        assert code == 0, said
        assert server.http("GET", "/readyz").status == 200
    finally:
        stopped = server.stop()
    assert stopped == 0
