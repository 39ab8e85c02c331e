"""Builds the image without a registry, looks inside, and starts it: `make image-check`.

The binary is compiled as the build stage of the Dockerfile says (build.py), and the final stage is done by a reader of
Dockerfiles that knows only what is used there (dockerfile.py); where buildah is, by that too. Given the path of an OCI
archive, it looks at that image instead.
"""

import os
import pathlib
import subprocess
import sys
import time

import build
import buildah
import dockerfile
import elf
import look
import oci
import start

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> None:
    expected = look.Expected(ROOT)
    if len(sys.argv) > 1:
        check(pathlib.Path(sys.argv[1]), expected)
        return
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    folder = (ROOT / target / "image").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        stages = dockerfile.stages((ROOT / "Dockerfile").read_text())
        if len(stages) != 2:
            raise dockerfile.Unknown(f"{len(stages)} stages")
        copies, settings = dockerfile.settings(stages[1])
        begin = time.monotonic()
        finished = build.build(ROOT, stages[0], folder)
        build.say(f"compiled in {time.monotonic() - begin:.0f} s")
        archive = assemble(stages[0].name, finished, copies, settings, folder, expected.version)
    except dockerfile.Unknown as error:
        sys.exit(f"Dockerfile: not understood: {error}: teach it to .ci/image/dockerfile.py, or leave it out")
    check(archive, expected)
    if buildah.has_buildah():
        build.say("the same stage by buildah")
        other = folder / "buildah.tar"
        buildah.build(ROOT, stages[0].name, finished, other, source_date())
        check(other, expected)
    else:
        build.say("no buildah here: the final stage was done by .ci/image/dockerfile.py alone")


def source_date() -> int:
    """The time that everything in the image has: that of the commit, so that it is the same wherever it is built."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    shown = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return int(given or shown.stdout.strip() or 0)


def assemble(
    stage_name: str, stage: pathlib.Path, copies: list, settings: dict, folder: pathlib.Path, version: str
) -> pathlib.Path:
    files, architecture = [], ""
    for copy in copies:
        if copy.stage != stage_name or len(copy.sources) != 1 or copy.destination.endswith("/"):
            raise dockerfile.Unknown(f"COPY of {copy.sources} from {copy.stage or 'the context'} to {copy.destination}")
        origin = stage / copy.sources[0].lstrip("/")
        if not origin.is_file():
            sys.exit(f"Dockerfile: the build stage does not make {copy.sources[0]}")
        content = origin.read_bytes()
        mode = origin.stat().st_mode & 0o7777 if copy.mode == -1 else copy.mode
        files.append((copy.destination, mode, content))
        architecture = elf.read(content).architecture
    archive = folder / "onetimeshare.tar"
    oci.write(archive, files, settings, architecture, source_date(), f"onetimeshare:{version}")
    return archive


def check(archive: pathlib.Path, expected: look.Expected) -> None:
    image = oci.read(archive)
    found = look.problems(image, expected)
    # What does not look right is not started.
    found = found or start.problems(image, expected, ROOT)
    if found:
        sys.exit(f"{archive}:\n" + "\n".join(f"  {problem}" for problem in found))
    binary = image.files[look.BINARY].content
    build.say(f"{archive}: {image.size / 1e6:.2f} MB compressed, the binary {len(binary) / 1e6:.2f} MB")
    build.say(f"one static file, {look.BINARY}; user {expected.user}; it runs in an empty root")


main()
