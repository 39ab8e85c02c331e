"""Looks inside an image: what is in it, who it runs as, and whether that is what the manifests and the chart say.

Knows nothing of how the image was made: it looks at one from any builder.
"""

import json
import pathlib
import re
import struct
import subprocess

import elf
import oci

BINARY = "/onetimeshare"
# Somewhat more than was measured (docs/development.md): whoever adds much does it knowingly.
LARGEST_BINARY = 16 << 20
LARGEST_IMAGE = 13 << 19


class Expected:
    """What the other files of the repository say of the image."""

    def __init__(self, root: pathlib.Path):
        command = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]
        metadata = json.loads(subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout)
        package = next(one for one in metadata["packages"] if one["name"] == "onetimeshare")
        self.version = package["version"]
        # What the chart renders.
        pod = (root / "deploy/operator.yaml").read_text()
        number = lambda name: re.search(rf"^[\s-]*{name}: (\d+)$", pod, re.MULTILINE)[1]  # noqa: E731
        self.user = f"{number('runAsUser')}:{number('runAsGroup')}"
        self.config = {
            "User": self.user,
            "Entrypoint": [BINARY],
            "Cmd": ["controller"],
            "ExposedPorts": {f"{number('containerPort')}/tcp": {}},
        }
        self.labels = {
            "org.opencontainers.image.title": package["name"],
            "org.opencontainers.image.description": package["description"],
            "org.opencontainers.image.licenses": package["license"],
            "org.opencontainers.image.version": package["version"],
        }
        self.secret_paths = [str(root), str(pathlib.Path.home()) + "/"]


def problems(image: oci.Image, expected: Expected) -> list:
    return _config(image.config, expected) + _files(image) + _binary(image, expected)


def _config(config: dict, expected: Expected) -> list:
    found = []
    settings = config["config"]
    for name, value in expected.config.items():
        if settings.get(name) != value:
            found.append(f"{name} is {settings.get(name)}, not {value}")
    labels = settings.get("Labels") or {}
    found += [f"label {name} is {labels.get(name)!r}" for name in expected.labels if labels.get(name) != expected.labels[name]]
    # Builders set a PATH, which means nothing here, and name themselves in a label.
    found += [f"environment: {one}" for one in settings.get("Env") or [] if not one.startswith("PATH=")]
    known = {*expected.labels, "io.buildah.version"}
    found += [f"label {name} is not known" for name in labels if name not in known]
    found += [f"{name} is set" for name in ("Volumes", "OnBuild", "Shell", "Healthcheck") if settings.get(name)]
    return found


def _files(image: oci.Image) -> list:
    # Some builders write an entry for the root.
    found = [f"{path} is in the image" for path in sorted(image.files) if path not in ("/", BINARY)]
    if BINARY not in image.files:
        return [*found, f"{BINARY} is not in the image"]
    entry = image.files[BINARY].entry
    if not entry.isreg() or entry.mode & 0o7777 != 0o755 or (entry.uid, entry.gid) != (0, 0):
        found.append(f"{BINARY} is no file of root with the mode 755: type {entry.type}, {entry.mode:o}, {entry.uid}:{entry.gid}")
    found += [f"{BINARY} has the attribute {name}" for name in entry.pax_headers if "xattr" in name]
    if image.size > LARGEST_IMAGE:
        found.append(f"the image has {image.size} bytes, more than {LARGEST_IMAGE}")
    return found


def _binary(image: oci.Image, expected: Expected) -> list:
    if BINARY not in image.files:
        return []
    data = image.files[BINARY].content
    try:
        program = elf.read(data)
    except (ValueError, struct.error) as error:
        return [f"{BINARY}: {error}"]
    found = []
    if program.interpreter or program.libraries:
        found.append(f"{BINARY} is not static: it needs an interpreter or {program.libraries} libraries")
    if program.symbols:
        found.append(f"{BINARY} is not stripped")
    if program.executable_stack:
        found.append(f"{BINARY} has an executable stack")
    if program.architecture != image.config["architecture"]:
        found.append(f"{BINARY} is for {program.architecture}, the image for {image.config['architecture']}")
    if len(data) > LARGEST_BINARY:
        found.append(f"{BINARY} has {len(data)} bytes, more than {LARGEST_BINARY}")
    found += [f"{BINARY} names a folder of this machine: {path}" for path in expected.secret_paths if path.encode() in data]
    return found
