"""README.md: the tour works as it stands there, on a server started as it says."""

import json
import re
import shutil
import subprocess

from harness import BINARY, ROOT, environment


def blocks():
    return re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def test_the_commands_are_those_of_the_readme():
    start, _, test = blocks()
    assert start.strip() == "cargo run --release"
    assert test.strip() == "./test" and (ROOT / "test").stat().st_mode & 0o111


def test_the_tour(tmp_path):
    # As in a checkout: no flags, and the repository's own configuration file.
    shutil.copy(ROOT / "hookyard.toml", tmp_path)
    # Only the port is another, since 8080 may be taken.
    env = {**environment(), "HOOKYARD_LISTEN": "127.0.0.1:0"}
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
        tour = subprocess.run(["bash", "-eu", "-c", "".join(exports) + blocks()[1]], cwd=tmp_path,
                              env=environment(), capture_output=True, text=True, timeout=30)
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()
    assert tour.returncode == 0 and tour.stderr == "", tour.stderr + tour.stdout
    received, receipt, log, rows = tour.stdout.strip().splitlines()
    assert json.loads(received) == {"status": "ok", "rows": 1}
    assert '"matched":1' in receipt and '"duplicate":false' in receipt
    [attempt] = json.loads(log)["webhook_log_summaries"]
    assert attempt["success"] and attempt["status_code"] == 201
    hello, order = (row[0] for row in json.loads(rows)["data"].values())
    assert hello == '{"hello": "world"}'
    assert json.loads(order)["events"][0]["order_create"]["order_id"] == "DEMO-0009104420"
    assert server.returncode == 0
