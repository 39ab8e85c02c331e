"""Prints the path of a Python that has what tests/bench/peers/kopf needs: a virtual environment in the cache folder.

It is made once for each requirements.txt and each Python, by pip as pip is set up. It fails, and says what is missing,
when it cannot be made.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys

import cache

REQUIREMENTS = pathlib.Path(__file__).resolve().parents[1] / "tests/bench/peers/kopf/requirements.txt"
CURE = "install Python 3.11 or newer with venv and pip (apt-get install python3-venv), and run `python3 .ci/kopf.py` again"


def say(text: str) -> None:
    print(f"kopf: {text}", file=sys.stderr, flush=True)


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"kopf: this is Python {sys.version.split()[0]}: {CURE}")
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    folder = cache.folder() / f"kopf-{digest[:12]}"
    python, done = folder / "bin" / "python", folder / "done"
    if not done.is_file():
        # What an earlier attempt left is not whole.
        shutil.rmtree(folder, ignore_errors=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
        for command in ([sys.executable, "-m", "venv", str(folder)], pip):
            say(" ".join(command))
            if subprocess.run(command, stdout=sys.stderr).returncode != 0:
                sys.exit(f"kopf: that did not work: {CURE}")
        done.touch()
    print(python)


main()
