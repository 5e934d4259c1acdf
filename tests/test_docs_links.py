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


SOURCES = ("*.rs", "*.py", "*.toml", "*.json", "*.sql", "test", "*.sh")


def test_documents_that_sources_name():
    dead = []
    for name in tracked(*SOURCES):
        text = (ROOT / name).read_text(errors="replace")
        for found, anchor in re.findall(r"(?<![\w/.:-])(docs/[\w/-]+\.md)(?:#([\w-]+))?", text):
            page = ROOT / found
            if not page.exists():
                dead.append(f"{name}: {found}")
            elif anchor and anchor not in anchors(page.read_text()):
                dead.append(f"{name}: {found}#{anchor} (no such heading)")
    assert not dead, "\n".join(dead)


# How comments cited sheets that are not in the tree.
VAGUE = re.compile(
    r"(?<![\w/])spec/\w+\.md|\b(UltraCart|Mammoth) spec\b|\bspec,? (section|trap|\d)|\bits sheet\b|"
    r"\bconventions (section )?\d|\b(design|measured|models|house)\.md\b")


def test_sources_cite_nothing_outside_the_tree():
    vague = []
    for name in tracked("*.rs", "*.py", "*.sql"):
        lines = (ROOT / name).read_text(errors="replace").splitlines()
        vague += [f"{name}:{number}: {line.strip()}" for number, line in enumerate(lines, 1)
                  if VAGUE.search(line) and name != "tests/test_docs_links.py"]
    assert not vague, "\n".join(vague)
