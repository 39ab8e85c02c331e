"""Writes what the operator is made of: a CycloneDX SBOM and a report of the licences, with their texts.

Both list what is compiled into the binary or generates its code, for Linux: nothing of the tests. The SBOM is held
against what cargo says, and the licences against deny.toml.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tool

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "onetimeshare"
# One SBOM for both: they differ in a crate that looks at the processor.
TARGETS = ("x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl")


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    folder = ROOT / pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or "target") / "supply"
    folder.mkdir(parents=True, exist_ok=True)
    sbom, report = folder / f"{PACKAGE}.cdx.json", folder / "licences.txt"
    runtime = set().union(*(crates(target) for target in TARGETS))
    bill = trim(json.loads(generate()), runtime)
    wrong = check(bill, runtime)
    sbom.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
    report.write_text(licences(runtime))
    wrong += check_licences(bill, report.read_text())
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{sbom}: {len(bill['components'])} crates, as cargo says\n{report}: the licences of all of them, with their texts")


def generate() -> str:
    """In a copy, because cargo-cyclonedx writes beside the manifest of each member of the workspace.

    For all platforms: for a single one it leaves out crates that are compiled (stacker, as of 0.5.9).
    """
    program = tool.find("cargo-cyclonedx")
    env = dict(os.environ)
    env.setdefault("SOURCE_DATE_EPOCH", output("git", "log", "-1", "--format=%ct").strip())
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / PACKAGE
        copy.mkdir()
        for file in ("Cargo.toml", "Cargo.lock"):
            shutil.copy(ROOT / file, copy)
        for folder_name in ("src", "tests"):
            shutil.copytree(ROOT / folder_name, copy / folder_name, ignore=shutil.ignore_patterns("control-plane"))
        command = [program, "cyclonedx", "--format", "json", "--spec-version", "1.5", "--no-build-deps"]
        subprocess.run([*command, "--target", "all", "--quiet"], cwd=copy, env=env, check=True)
        # The name of the copy is nobody's business.
        return (copy / f"{PACKAGE}.cdx.json").read_text().replace(str(copy), "")


def trim(bill: dict, kept: set) -> dict:
    """Without the crates of other platforms."""
    bill["components"] = [one for one in bill["components"] if name(one) in kept]
    refs = {one["bom-ref"] for one in [*bill["components"], bill["metadata"]["component"]]}
    bill["dependencies"] = [one for one in bill["dependencies"] if one["ref"] in refs]
    for one in bill["dependencies"]:
        one["dependsOn"] = [ref for ref in one.get("dependsOn", []) if ref in refs]
    return bill


def name(component: dict) -> str:
    return f"{component['name']} {component['version']}"


def crates(target: str) -> set:
    """What cargo compiles for the operator itself: no build scripts, no tests."""
    options = ["--edges", "normal", "--target", target, "--prefix", "none"]
    tree = output("cargo", "tree", "--locked", "--package", PACKAGE, *options)
    lines = (line.split() for line in tree.splitlines() if line)
    return {f"{crate} {version[1:]}" for crate, version, *_ in lines} - {f"{PACKAGE} {own_version()}"}


def own_version() -> str:
    return output("cargo", "pkgid", "--locked", "--package", PACKAGE).strip().rpartition("#")[2].rpartition("@")[2]


def check(bill: dict, runtime: set) -> list:
    wrong = []
    if name(bill["metadata"]["component"]) != f"{PACKAGE} {own_version()}":
        wrong.append(f"the SBOM describes {name(bill['metadata']['component'])}")
    listed = {name(one) for one in bill["components"]}
    wrong += [f"the SBOM lacks {crate}" for crate in sorted(runtime - listed)]
    wrong += [f"the SBOM has {crate}, which is no runtime dependency" for crate in sorted(listed - runtime)]
    wrong += [f"{name(one)} has no checksum" for one in bill["components"] if not one.get("hashes")]
    wrong += [f"{name(one)} has no licence" for one in bill["components"] if not one.get("licenses")]
    return wrong


def licences(kept: set) -> str:
    """From the sources of the crates alone: the same report everywhere."""
    output("cargo", "fetch", "--locked")
    command = [tool.find("cargo-about"), "generate", "--locked", "--offline", "--fail", "--config", ".ci/about.toml"]
    found = json.loads(output(*command, "--format", "json"))["licenses"]
    parts = [f"What {PACKAGE} {own_version()} is made of, with the licence of each crate.\n"]
    for licence in sorted(found, key=lambda one: (one["id"], one["text"])):
        users = sorted({name(one["crate"]) for one in licence["used_by"]} & kept)
        if users:
            listed = "".join(f"- {user}\n" for user in users)
            parts.append(f"{'=' * 80}\n{licence['name']} ({licence['id']})\n\n{listed}\n{licence['text'].strip()}\n")
    return "\n".join(parts)


def check_licences(bill: dict, report: str) -> list:
    quoted = lambda text: set(re.findall(r'^\s*"([^"]+)"', text, re.MULTILINE))  # noqa: E731
    allowed, accepted = ((ROOT / name).read_text() for name in ("deny.toml", ".ci/about.toml"))
    allowed = quoted(re.search(r"^allow = \[(.*?)^\]", allowed, re.MULTILINE | re.DOTALL)[1])
    accepted = quoted(re.search(r"^accepted = \[(.*?)^\]", accepted, re.MULTILINE | re.DOTALL)[1])
    wrong = [f"deny.toml and .ci/about.toml differ in {one}" for one in sorted(allowed ^ accepted)]
    reported = set(re.findall(r"^- (\S+ \S+)$", report, re.MULTILINE))
    listed = {name(one) for one in bill["components"]}
    return wrong + [f"the report of the licences lacks {crate}" for crate in sorted(listed - reported)]


main()
