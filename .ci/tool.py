"""Prints the path of a cargo tool: the one on the PATH, else one of a fixed version, built once and kept in the cache folder.

`tool.py NAME`. It fails, and says how to get the tool, when there is none and cargo cannot build it.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import cache

VERSIONS = {
    "cargo-deny": "0.20.2",
    "cargo-cyclonedx": "0.5.9",
    "cargo-about": "0.9.3",
}
# Where the program itself is behind a feature.
FEATURES = {"cargo-about": "cli"}
# They run for seconds: what the best optimisation takes to compile never comes back.
QUICK = {"OPT_LEVEL": "1", "LTO": "off", "CODEGEN_UNITS": "16", "DEBUG": "0"}


def say(text: str) -> None:
    print(f"tools: {text}", file=sys.stderr, flush=True)


def find(name: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    root = cache.folder() / "tools" / f"{name}-{VERSIONS[name]}"
    program = root / "bin" / name
    if not program.is_file():
        command = ["cargo", "install", "--locked", "--root", str(root), f"{name}@{VERSIONS[name]}"]
        command += ["--features", FEATURES[name]] if name in FEATURES else []
        say(f"no {name} yet; building it, once: {' '.join(command)}")
        # Flags and folders are the operator's, not the tool's.
        env = {key: value for key, value in os.environ.items() if key not in ("RUSTFLAGS", "CARGO_TARGET_DIR")}
        env.update({f"CARGO_PROFILE_RELEASE_{key}": value for key, value in QUICK.items()})
        if subprocess.run(command, env=env, stdout=sys.stderr).returncode != 0 or not program.is_file():
            sys.exit(f"tools: {name} could not be built: see above, or install it so that it is on the PATH")
    return str(program)


if __name__ == "__main__":
    print(find(sys.argv[1]))
