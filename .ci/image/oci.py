"""Writes and reads OCI archives: images as one tar file.

What is written depends on its content and the given time alone, not on when and where it is written.
"""

import dataclasses
import datetime
import gzip
import hashlib
import io
import json
import pathlib
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclasses.dataclass
class File:
    entry: tarfile.TarInfo
    content: bytes


@dataclasses.dataclass
class Image:
    config: dict
    files: dict  # by path, of all layers together
    size: int  # what a node fetches: configuration and layers, compressed


def _pack(files: list) -> bytes:
    """files: (path, mode, content, time)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, mode, content, time in files:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.size, entry.mtime = mode, len(content), time
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def write(path: pathlib.Path, files: list, settings: dict, architecture: str, time: int, name: str) -> None:
    """files: (path, mode, content). settings: the part `config` of the image's configuration."""
    layer = _pack([(*file, time) for file in files])
    packed = gzip.compress(layer, compresslevel=9, mtime=0)
    created = datetime.datetime.fromtimestamp(time, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    blobs = []

    def blob(media_type: str, content: bytes) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        blobs.append((f"blobs/sha256/{digest}", 0o644, content, time))
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(CONFIG, json.dumps(config, sort_keys=True).encode()),
        "layers": [blob(LAYER, packed)],
    }
    described = blob(MANIFEST, json.dumps(manifest, sort_keys=True).encode())
    described["annotations"] = {"org.opencontainers.image.ref.name": name}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}
    whole = [
        ("oci-layout", 0o644, b'{"imageLayoutVersion":"1.0.0"}', time),
        ("index.json", 0o644, json.dumps(index, sort_keys=True).encode(), time),
    ]
    path.write_bytes(_pack(whole + sorted(blobs)))


def read(path: pathlib.Path) -> Image:
    with tarfile.open(path) as archive:

        def blob(described: dict) -> bytes:
            content = archive.extractfile("blobs/" + described["digest"].replace(":", "/")).read()
            if f"sha256:{hashlib.sha256(content).hexdigest()}" != described["digest"]:
                raise ValueError(f"{described['digest']} is not the digest of its content")
            return content

        # Some tools name the manifest in an index, some in an index of indexes; attestations have no platform.
        described = json.load(archive.extractfile("index.json"))["manifests"][0]
        while "index" in described["mediaType"] or "manifest.list" in described["mediaType"]:
            inner = json.loads(blob(described))["manifests"]
            described = next(one for one in inner if one.get("platform", {}).get("os") != "unknown")
        manifest = json.loads(blob(described))
        config, files = json.loads(blob(manifest["config"])), {}
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(blob(layer))) as content:
                for entry in content:
                    data = content.extractfile(entry).read() if entry.isreg() else b""
                    files["/" + entry.name.removeprefix("./").strip("/")] = File(entry, data)
    size = manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
    return Image(config, files, size)
