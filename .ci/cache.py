"""Where what is built or fetched once is kept: as tests/harness/src/control_plane/binaries.rs has it."""

import os
import pathlib


def folder() -> pathlib.Path:
    for name in ("ONETIMESHARE_CACHE", "XDG_CACHE_HOME"):
        if os.environ.get(name):
            return pathlib.Path(os.environ[name]) / "onetimeshare"
    return pathlib.Path.home() / ".cache" / "onetimeshare"
