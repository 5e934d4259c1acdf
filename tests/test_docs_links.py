"""Links between the documents, and paths of documents in the sources, lead somewhere."""

import re
import subprocess

from harness import ROOT

FENCE = re.compile(r"^( *)```.*?^\1```", re.S | re.M)
# Entries of the changelog name pages as they were at the time.
HISTORY = "CHANGELOG.md"


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\n") if name and name != HISTORY]


def slug(heading):
    """The anchor that a heading gets."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading).strip().lower())
    return kept.replace(" ", "-")


def anchors(text):
    return {slug(found) for found in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)}


def test_links_between_documents():
    dead = []
    for name in tracked("*.md"):
        page = ROOT / name
        text = FENCE.sub("", page.read_text())
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in link or link.startswith("mailto:"):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                dead.append(f"{name}: {link}")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
                dead.append(f"{name}: {link} (no such heading)")
    assert not dead, "\n".join(dead)


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text()
    pages = [name for name in tracked("docs/*.md") if not name.startswith(("docs/README", "docs/spec/"))]
    listed = index + (ROOT / "docs/decisions/README.md").read_text().replace("](", "](decisions/")
    missing = [name for name in pages if f"]({name.removeprefix('docs/')}" not in listed]
    assert not missing, missing


def test_documents_that_sources_name():
    dead = []
    for name in tracked("*.rs", "*.py", "*.toml", "*.json", "*.sql", "test", "*.sh"):
        for found in re.findall(r"(?<![\w/.:-])docs/[\w/-]+\.md", (ROOT / name).read_text(errors="replace")):
            if not (ROOT / found).exists():
                dead.append(f"{name}: {found}")
    assert not dead, "\n".join(dead)
