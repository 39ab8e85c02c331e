"""Builds the final stage of the Dockerfile with a real builder that needs no daemon, buildah, where it is installed.

The build stage is replaced by a folder, so no registry is asked.
"""

import pathlib
import shutil
import subprocess

NAME = "localhost/onetimeshare-check"


def has_buildah() -> bool:
    return shutil.which("buildah") is not None


def build(root: pathlib.Path, stage_name: str, stage: pathlib.Path, archive: pathlib.Path, time: int) -> None:
    # A store of its own, which leaves nothing behind in the user's.
    store = archive.parent / "store"
    base = ["buildah", f"--root={store}", f"--runroot={store}/run", "--storage-driver=vfs"]
    options = [f"--build-context={stage_name}={stage}", "--isolation=chroot", "--pull=never", f"--timestamp={time}"]
    subprocess.run([*base, "build", "--quiet", *options, f"--tag={NAME}", str(root)], check=True, stdout=subprocess.DEVNULL)
    archive.unlink(missing_ok=True)
    subprocess.run([*base, "push", "--quiet", NAME, f"oci-archive:{archive}"], check=True)
    subprocess.run([*base, "rmi", "--force", NAME], check=True, stdout=subprocess.DEVNULL)
