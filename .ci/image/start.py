"""Starts the image's program as a container would: in a root that holds nothing else, as the image's user.

As root by chroot, else in a user namespace of its own. Where neither can be had it fails: nothing was proven then.
"""

import os
import pathlib
import subprocess
import tempfile

import look
import oci


def problems(image: oci.Image, expected: look.Expected, root: pathlib.Path) -> list:
    found = []
    definitions = "---\n".join(path.read_text() for path in sorted((root / "crds").glob("onetimeshare.dev_*.yaml")))
    with tempfile.TemporaryDirectory() as folder:
        _unpack(image, pathlib.Path(folder))
        start = [*image.config["config"]["Entrypoint"]]
        version = _run(folder, [*start, "--version"], image)
        if (version.returncode, version.stdout.strip()) != (0, f"onetimeshare {expected.version}"):
            found.append(f"--version: {_said(version)}")
        crds = _run(folder, [*start, "crds"], image)
        if crds.returncode != 0 or _documents(crds.stdout) != _documents(definitions):
            found.append(f"crds does not print what crds/ has: {_said(crds)[:300]}")
        # It gets as far as the search for a cluster: arguments, log, HTTP server and TLS are set up by then.
        controller = [*start, *image.config["config"]["Cmd"], "--http-address", "127.0.0.1:0"]
        stopped = _run(folder, controller, image)
        if stopped.returncode != 1 or "no cluster" not in stopped.stderr:
            found.append(f"controller without a cluster: {_said(stopped)}")
    return found


def _documents(text: str) -> set:
    return {document.strip() for document in text.split("---\n") if document.strip()}


def _said(ended: subprocess.CompletedProcess) -> str:
    return f"exit status {ended.returncode}, {ended.stdout.strip()!r}, {ended.stderr.strip()!r}"


def _unpack(image: oci.Image, folder: pathlib.Path) -> None:
    for path, file in image.files.items():
        if file.entry.isreg():
            (folder / path.lstrip("/")).write_bytes(file.content)
            (folder / path.lstrip("/")).chmod(file.entry.mode)
    # Readable for the image's user, who may write nowhere.
    folder.chmod(0o555)


def _run(folder: str, command: list, image: oci.Image) -> subprocess.CompletedProcess:
    user, group = (int(number) for number in image.config["config"]["User"].split(":"))
    enter = None
    if os.geteuid() == 0:

        def enter() -> None:
            os.chroot(folder)
            os.chdir("/")
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)

    else:
        unshare = ["unshare", "--user", f"--map-user={user}", f"--map-group={group}", f"--root={folder}", "--wd=/", "--"]
        command = [*unshare, *command]
    return subprocess.run(command, preexec_fn=enter, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
