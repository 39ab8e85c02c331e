"""Looks through every file of the repository for what is true on one machine only, or should be nowhere.

Prints file, line and what is wrong, and fails. Knows nothing of what the files are for.
"""

import pathlib
import re
import subprocess
import sys

RULES = [
    # A folder of somebody's machine.
    (re.compile(r"(?<![\w.$}*/-])/(?:home|root|work|Users)/\w"), "a path of one machine"),
    # Where packages come from is each machine's own setting; the lock files name the public sources.
    (
        re.compile(
            r"^\s*(?:export\s+)?(?:GOPROXY|GONOSUMDB|GOPRIVATE|PIP_INDEX_URL|PIP_EXTRA_INDEX_URL)\s*[:?]?="
            r"|^\s*\[(?:source|registries)[.\]]|^\s*replace-with\s*=|--(?:extra-)?index-url|^\s*registry\s*="
        ),
        "a package registry",
    ),
    (re.compile(r"^(?:<{7} |>{7} |={7}$)"), "a mark of a merge"),
]
LOCKED = re.compile(r'^source = "(?!registry\+https://github\.com/rust-lang/crates\.io-index")')
# Recorded from real servers, as they were.
DATA = "tests/contract/v"


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, stdout=subprocess.PIPE
    )
    wrong = []
    for name in sorted(set(filter(None, listed.stdout.decode().split("\0")))):
        path = pathlib.Path(name)
        if name.startswith(DATA) or not path.is_file() or path.is_symlink():
            continue
        if path.name in {"pip.conf", ".netrc", ".npmrc", ".pypirc"}:
            wrong.append(f"{name}: settings of one machine")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            wrong.append(f"{name}: not text in UTF-8")
            continue
        rules = RULES + ([(LOCKED, "not from crates.io")] if path.name == "Cargo.lock" else [])
        for number, line in enumerate(text.splitlines(), 1):
            wrong.extend(f"{name}:{number}: {what}" for pattern, what in rules if pattern.search(line))
    print("\n".join(wrong) if wrong else "nothing of one machine, no registry, all text")
    return 1 if wrong else 0


sys.exit(main())
