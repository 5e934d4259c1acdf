"""Every example of the documents runs: the `sh`, `python` and `js` blocks of a page in their order, in one
shell, against a server of the page's own.

A page may use what a reader has who followed the tour of README.md: the four `export` lines that the server
prints, `hookyard`, `curl` and `jq`. Everything else a page defines itself. A block that cannot run has the
line `<!-- not run: reason -->` above its fence; `<!-- needs: analytics -->` runs a block where the binary was
built with that feature."""

import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from harness import BINARY, ROOT, command, environment, shared_postgres

FENCE = re.compile(
    r"(?:^ *<!-- (?:not run: (?P<why>[^>]+)|needs: (?P<feature>\w+)) -->\n)?"
    r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```",
    re.S | re.M)
RUN = ("sh", "python", "js")
# Forms are shown, not run; `console` is a dialogue with prompts, which cannot run.
SHOWN = ("", "text", "json", "toml", "http", "sql", "nginx", "ini")
# More than this many blocks that do not run would make the rule empty.
NOT_RUN_MAX = 24
SECONDS_MAX = 60

# In the shell of a page `hookyard serve` starts in the background on a free port, instead of holding the
# shell, and sets the variables that it prints. It ends with the shell.
PRELUDE = r"""
set -eEu -o pipefail
served=
stop() { [ -z "$served" ] || { kill "$served"; wait "$served" || :; served=; }; }
trap stop EXIT
hookyard() {
  [ "${1-}" = serve ] || { command hookyard "$@"; return; }
  stop
  local said=() next=
  for word; do
    if [ -n "$next" ]; then next=; elif [ "$word" = --listen ]; then next=1; else said+=("$word"); fi
  done
  : > served.txt
  command hookyard "${said[@]}" > served.txt 2>> served.log & served=$!
  until grep -q '^listening on' served.txt; do
    kill -0 "$served" 2>/dev/null || { cat served.log >&2; served=; return 1; }
    sleep 0.05
  done
  local lines=$(grep '^export' served.txt) || :
  eval "$lines"
  export HY_URL=$(sed -n 's/^listening on //p' served.txt)
}
at() { where=$1; }
trap 'echo "failed in $where" >&2' ERR
"""


def pages():
    listed = subprocess.run(["git", "ls-files", "docs/*.md"], cwd=ROOT, capture_output=True, text=True)
    return [name for name in listed.stdout.split() if not name.startswith("docs/spec/")]


@functools.cache
def built_with_analytics():
    return "features analytics" not in command("sql", "--data", "nowhere", "SELECT 1").stderr


def blocks(name):
    """(line, kind, text, why it is not run) of each block of a page."""
    text = (ROOT / name).read_text()
    for found in FENCE.finditer(text):
        lines = found["text"].splitlines(keepends=True)
        indent = len(found["indent"])
        body = "".join(line[indent:] if line.strip() else line for line in lines)
        why = found["why"]
        if found["feature"]:
            assert found["feature"] == "analytics", found[0]
            why = None if built_with_analytics() else "the binary was built without SQL"
        yield text[: found.start()].count("\n") + 1, found["kind"], body, why


def script(name):
    """The blocks of a page as one shell script; empty where there is nothing to run."""
    parts = []
    for line, kind, body, why in blocks(name):
        if kind not in RUN or why:
            continue
        if kind != "sh":
            program = {"python": "python3 -", "js": "node -"}[kind]
            body = f"{program} <<'END OF BLOCK'\n{body}END OF BLOCK\n"
        parts.append(f"at {name}:{line}\n{body}")
    return "".join(parts)


def surroundings(directory):
    """The programs that a reader has: `hookyard`, a Python and a Node.js with the libraries named."""
    programs = directory / "programs"
    programs.mkdir()
    (programs / "hookyard").symlink_to(BINARY)
    (programs / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python3").chmod(0o755)
    library = next((ROOT / ".venv/receivers/lib").glob("python3*/site-packages"))
    postgres = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=programs)
    return {
        **environment(),
        "PATH": f"{programs}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}:{postgres}",
        "PYTHONPATH": str(library),
        "NODE_PATH": str(ROOT / "tests/receivers/node/node_modules"),
        "HOOKYARD_LISTEN": "127.0.0.1:0",
    }


@pytest.mark.parametrize("name", [name for name in pages() if script(name)])
def test_page(name, tmp_path):
    at = tmp_path / "checkout"
    at.mkdir()
    shutil.copy(ROOT / "hookyard.toml", at)
    env = surroundings(tmp_path)
    text = script(name)
    if "createdb" in text:
        server = shared_postgres()
        env |= {"PGHOST": server.directory, "PGPORT": str(server.port), "PGUSER": "hookyard"}
        text = text.replace("hookyard@127.0.0.1:5432/", f"hookyard@127.0.0.1:{server.port}/")
    # Another program may listen on the port that the examples give to receivers.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{probe.getsockname()[1]}")
    # A page that starts no server has the one of the tour.
    start = "" if re.search(r"^hookyard (serve|init)", text, re.M) else "at start\nhookyard serve\n"
    done = subprocess.Popen(["bash", "-c", PRELUDE + start + text], cwd=at, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, _ = done.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGTERM)
        said, _ = done.communicate(timeout=10)
        pytest.fail(f"{name} took more than {SECONDS_MAX} s:\n{said}")
    assert done.returncode == 0, said


def test_blocks_are_marked():
    odd, not_run = [], 0
    for name in pages():
        for line, kind, _, why in blocks(name):
            not_run += bool(why)
            if kind not in RUN + SHOWN:
                odd.append(f"{name}:{line}: ```{kind}")
    assert not odd, odd
    assert not_run <= NOT_RUN_MAX, not_run
