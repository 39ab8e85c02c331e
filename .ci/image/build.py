"""Does what the build stage of the Dockerfile does, without its image: lays out the files that its COPY lines take, and
runs its cargo there.

Only the files that the stage has are there, so a file that it lacks is missed here too. The compiler is the one of this
machine, and the binary is linked with musl as in the image; where Rust has no musl target and rustup cannot get it,
statically with glibc.
"""

import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys

import dockerfile


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def build(root: pathlib.Path, stage: dockerfile.Stage, folder: pathlib.Path) -> pathlib.Path:
    """Returns a folder that stands for the root of the finished stage: it holds the binary where the stage has it."""
    source, command = folder / "source", []
    available = dockerfile.context(root)
    wanted, workdir = {}, ""
    for keyword, arguments in stage.instructions:
        if keyword == "WORKDIR":
            workdir = arguments
        elif keyword == "COPY":
            wanted.update(_taken(dockerfile.copy(arguments), available))
        elif keyword == "RUN" and arguments.startswith("apk add --no-cache "):
            _need(arguments.removeprefix("apk add --no-cache ").split())
        elif keyword == "RUN" and arguments.startswith("cargo build ") and not command:
            command = shlex.split(arguments)
        else:
            raise dockerfile.Unknown(f"{keyword} {arguments} in the build stage")
    _lay_out(root, source, wanted)
    binary = _compile(command, source, folder / "target")
    finished = folder / "build" / workdir.strip("/") / "target/release" / binary.name
    finished.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(binary, finished)
    return folder / "build"


def _need(packages: list) -> None:
    """The packages that the stage adds are commands here."""
    for name in packages:
        if not shutil.which(name):
            sys.exit(f"the build stage adds {name}, which is not here: install it, for example with apt-get install {name}")


def _taken(copy: dockerfile.Copy, available: list) -> dict:
    """Where each file of the context goes, by path, as COPY has it: of a folder its content, under the destination."""
    if copy.stage or copy.mode != -1:
        raise dockerfile.Unknown("COPY with options in the build stage")
    taken = {}
    for name in copy.sources:
        below = [path for path in available if path.startswith(f"{name}/")]
        if name in available:
            taken[(pathlib.PurePosixPath(copy.destination) / name).as_posix()] = name
        elif below and len(copy.sources) == 1:
            taken.update({copy.destination + path[len(name) :]: path for path in below})
        else:
            sys.exit(f"COPY {name}: .dockerignore leaves it out, or it does not exist")
    return taken


def _lay_out(root: pathlib.Path, source: pathlib.Path, wanted: dict) -> None:
    present = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    for path in present - set(wanted):
        (source / path).unlink()
    for path, origin in wanted.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        # With its times: what did not change is not compiled again.
        shutil.copy2(root / origin, source / path)


def _compile(command: list, source: pathlib.Path, target_folder: pathlib.Path) -> pathlib.Path:
    arch = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    if sys.platform != "linux":
        sys.exit("the image is for Linux: build it there, or with docker")
    env, flags, target = dict(os.environ), [], f"{arch}-unknown-linux-musl"
    if _has(target):
        env.update(_c_compiler(target, env))
    else:
        target, flags = f"{arch}-unknown-linux-gnu", ["-C", "target-feature=+crt-static"]
        say("no musl target for Rust, and rustup did not get it: linked statically with glibc instead")
    # It dates the image, not the binary; to cargo another one is a reason to compile C again, and all that needs it.
    env.pop("SOURCE_DATE_EPOCH", None)
    # Paths of this machine do not go into the binary.
    cargo_home = pathlib.Path(env.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    flags += [f"--remap-path-prefix={cargo_home}=/cargo", f"--remap-path-prefix={source}=/source"]
    env["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)
    command = [*command, "--target", target, "--target-dir", str(target_folder)]
    say(f"$ {shlex.join(command)}")
    if subprocess.run(command, cwd=source, env=env).returncode != 0:
        sys.exit("the build failed")
    return target_folder / target / "release" / command[command.index("--bin") + 1]


def _has(target: str) -> bool:
    libraries = subprocess.run(["rustc", "--print", "target-libdir", "--target", target], stdout=subprocess.PIPE, text=True)
    if libraries.returncode == 0 and pathlib.Path(libraries.stdout.strip()).is_dir():
        return True
    rustup = shutil.which("rustup")
    return bool(rustup) and subprocess.run([rustup, "target", "add", target]).returncode == 0


def _c_compiler(target: str, env: dict) -> dict:
    """ring has some C, which asks no more of a C library than what both have; fortified functions only glibc has."""
    name = target.replace("-", "_")
    if f"CC_{name}" in env or shutil.which("musl-gcc"):
        return {}
    return {f"CC_{name}": "cc", f"CFLAGS_{name}": "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0"}
