"""README.md: the tour works as it stands there, on a server started as it says, with either receiver."""

import json
import re
import shutil
import socket
import subprocess

import pytest

from harness import BINARY, ROOT, environment
from test_docs import surroundings


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def test_the_commands_are_those_of_the_readme():
    start, *_, test = blocks("sh")
    assert start.strip() == "cargo run --release"
    assert test.strip() == "./test" and (ROOT / "test").stat().st_mode & 0o111


@pytest.mark.parametrize("receiver", ["python3 receiver.py", "node receiver.cjs"])
def test_the_tour(tmp_path, receiver):
    # As in a checkout: no flags, and the repository's own configuration file.
    shutil.copy(ROOT / "hookyard.toml", tmp_path)
    # Only the ports are others, since 8080 and 9000 may be taken.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    python, js, tour = blocks("python"), blocks("js"), "".join(blocks("sh")[1:-1]).replace("9000", port)
    (tmp_path / "receiver.py").write_text(python[0].replace("9000", port))
    (tmp_path / "receiver.cjs").write_text(js[0].replace("9000", port))
    assert "python3 receiver.py &  # or: node receiver.cjs &\n" in tour
    tour = tour.replace("python3 receiver.py &  # or: node receiver.cjs &", f"{receiver} &")
    env = surroundings(tmp_path)
    server = subprocess.Popen([BINARY], cwd=tmp_path, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        printed = []
        for line in server.stdout:
            printed.append(line)
            if line.startswith("listening on"):
                break
        exports = [line for line in printed if line.startswith("export ")]
        assert len(exports) == 4
        done = subprocess.run(["bash", "-eu", "-c", "".join(exports) + tour], cwd=tmp_path,
                              env=env, capture_output=True, text=True, timeout=60)
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()
    assert done.returncode == 0 and done.stderr == "", done.stderr + done.stdout
    assert server.returncode == 0
    said = done.stdout
    assert '"matched":1' in said and '"duplicate":false' in said
    [verified] = re.findall(r"^verified: (.*)$", said, re.M)
    assert "invoice.paid" in verified and "4711" in verified
    assert re.search(r"^401$", said, re.M)
    *_, received, rows = (line for line in said.splitlines() if line)
    assert json.loads(received) == {"status": "ok", "rows": 1}
    assert json.loads(rows)["rows"][0]["cell"] == {"hello": "world"}
