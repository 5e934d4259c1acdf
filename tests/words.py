#!/usr/bin/env python3
"""How plain the prose of the tree is: the share of pronouns and placeholders in its words.

A sentence that says "it", "that", "what", "one" or "who" leaves the reader to find the subject.
`docs/style.md` asks for less than 6 % in a document. Usage:

    tests/words.py                       the share of each kind of text, then the worst files
    tests/words.py docs README.md        the share of each file named, or below a folder named
    tests/words.py --max 6 docs          exit code 1 when a file has a larger share
    tests/words.py --files 50            how many files the report shows
    tests/words.py --root DIR            another checkout

Counted are Rust documentation (`///`, `//!`), other Rust comments, help texts of the command line,
texts of errors and log lines, and Markdown. Not counted: code blocks, inline code, link targets,
tests of Rust crates in `tests` folders, lock files, and the changelog, whose old entries stay.
"""

import argparse
import collections
import pathlib
import re
import signal
import sys

# The list decides the figure. On the tree of 22 November 2026 (5e21211), rustdoc, comments and
# ARCHITECTURE.md come to 11.1 % with these words, which is the figure that the rule was made from;
# well documented libraries come to 2 to 6 %. "There", "he" and "she" are so rare that they would add
# noise only, and relative words such as "where" and "when" name a place or a time.
PLACEHOLDERS = frozenset(
    "it its this that these those what which who whose one ones they them their".split())

SENTENCE = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\]\([^)]*\)|\]\[[^\]]*\]|<?https?://[^\s>)]+>?|<!--.*?-->", re.S)
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2[^\n]*$", re.S | re.M)
COMMENT = re.compile(r"^\s*(//[/!]|//)\s?(.*)$")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
SKIPPED = {"target", "node_modules", ".venv", ".git", "CHANGELOG.md"}
FILES_SHOWN = 15
WORDS_MIN = 40  # A file with fewer words has no share worth a report.


def words(text):
    """The words of a text, without code and links."""
    return [word.lower().split("'")[0].split("’")[0]
            for word in SENTENCE.findall(LINK.sub("] ", CODE.sub(" ", text)))]


def of_markdown(text):
    yield "Markdown", FENCE.sub("", text)


def of_rust(path, text):
    """The prose of a Rust file by kind; its own test module and examples in docs are left out."""
    text = text.split("\n#[cfg(test)]\nmod tests {")[0]
    kinds = collections.defaultdict(list)
    in_example = False
    for line in text.splitlines():
        comment = COMMENT.match(line)
        if comment:
            mark, prose = comment.groups()
            if prose.lstrip().startswith("```"):
                in_example = not in_example
            elif not in_example and mark == "//":
                kinds["comments"].append(prose)
            elif not in_example:
                is_help = mark == "///" and ("/cli/" in path or "/flags/" in path)
                kinds["help" if is_help else "rustdoc"].append(prose)
            continue
        in_example = False
        # A text of at least four words is for people: an error, a log line, an answer.
        kinds["messages"] += [found for found in STRING.findall(line) if found.count(" ") >= 3]
    for kind, lines in kinds.items():
        yield kind, "\n".join(lines)


def prose(path, name):
    text = path.read_text(errors="replace")
    return of_markdown(text) if path.suffix == ".md" else of_rust(name, text)


def found_below(root, names):
    """The files to count, each with its name from the root."""
    tops = [root / name for name in names] or [root]
    for top in tops:
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            name = path.relative_to(root)
            tests = name.suffix == ".rs" and "tests" in name.parts
            if path.suffix in (".md", ".rs") and not tests and not SKIPPED & set(name.parts):
                yield path, str(name)


def share(count):
    held, total = count
    return 100 * held / total if total else 0.0


def count(root, names):
    """(placeholders, words) of each kind, and of each file."""
    kinds, files = (collections.defaultdict(lambda: [0, 0]) for _ in range(2))
    for path, name in found_below(root, names):
        for kind, text in prose(path, name):
            found = words(text)
            held = sum(word in PLACEHOLDERS for word in found)
            for sums in (kinds[kind], files[name]):
                sums[0] += held
                sums[1] += len(found)
    return kinds, files


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("names", nargs="*", metavar="FILE", help="files or folders; else the tree")
    arguments.add_argument("--max", type=float, metavar="PERCENT", help="fail above this in a file")
    arguments.add_argument("--files", type=int, default=FILES_SHOWN, help="how many files to show")
    arguments.add_argument("--root", type=pathlib.Path,
                           default=pathlib.Path(__file__).resolve().parent.parent)
    asked = arguments.parse_args()
    root = asked.root.resolve()
    kinds, files = count(root, asked.names)
    for kind, sums in sorted(kinds.items()):
        print(f"{share(sums):5.1f} %  of {sums[1]:>7,} words: {kind}")
    both = [sum(sums[i] for sums in kinds.values()) for i in range(2)]
    print(f"{share(both):5.1f} %  of {both[1]:>7,} words: all of this\n")
    worst = sorted(((share(sums), name) for name, sums in files.items() if sums[1] >= WORDS_MIN),
                   reverse=True)
    for value, name in worst[: len(worst) if asked.names else asked.files]:
        print(f"{value:5.1f} %  {name}")
    if asked.max is not None:
        above = [name for value, name in worst if value > asked.max]
        if above:
            sys.exit(f"above {asked.max} %: {', '.join(above)}; see docs/style.md")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `tests/words.py | head` is no fault.
    main()
