"""Reads the Dockerfile: its stages and their instructions, and what .dockerignore lets through.

Knows only what the two files use and fails on anything else: what is not understood must not look as if it had been
checked.
"""

import dataclasses
import json
import pathlib
import re
import shlex


class Unknown(Exception):
    """Something in one of the files that this reader does not know."""


@dataclasses.dataclass
class Copy:
    sources: list
    destination: str
    stage: str = ""
    mode: int = -1


@dataclasses.dataclass
class Stage:
    base: str
    name: str
    instructions: list  # (keyword, arguments as text), in order


def stages(text: str) -> list:
    if re.match(r"\s*#\s*(syntax|escape|check)\s*=", text):
        raise Unknown("a parser directive in the first line")
    found = []
    for keyword, arguments in _instructions(text):
        if keyword == "FROM":
            matched = re.fullmatch(r"(\S+)(?:\s+AS\s+(\S+))?", arguments)
            if not matched:
                raise Unknown(f"FROM {arguments}")
            found.append(Stage(matched[1], matched[2] or "", []))
        elif found:
            found[-1].instructions.append((keyword, arguments))
        elif keyword != "ARG":
            raise Unknown(f"{keyword} before the first FROM")
    return found


def _instructions(text: str) -> list:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    return [(keyword, rest.strip()) for keyword, _, rest in (line.strip().partition(" ") for line in joined.splitlines())]


def copy(arguments: str) -> Copy:
    words = shlex.split(arguments)
    made = Copy([], "")
    while words and words[0].startswith("--"):
        option, _, value = words.pop(0).partition("=")
        if option == "--from":
            made.stage = value
        elif option == "--chmod" and re.fullmatch(r"0?[0-7]{3}", value):
            made.mode = int(value, 8)
        else:
            raise Unknown(f"COPY {arguments}")
    if len(words) < 2 or any(character in arguments for character in "$*?[<"):
        raise Unknown(f"COPY {arguments}")
    made.sources, made.destination = words[:-1], words[-1]
    return made


def settings(stage: Stage) -> tuple:
    """What the final stage copies, and what it sets in the image's configuration."""
    if stage.base != "scratch":
        raise Unknown(f"FROM {stage.base}: the final stage begins with an empty image")
    copies, config = [], {}
    for keyword, arguments in stage.instructions:
        if "$" in arguments:
            raise Unknown(f"a variable in {keyword} {arguments}")
        if keyword == "COPY":
            copies.append(copy(arguments))
        elif keyword == "LABEL":
            labels = dict(word.split("=", 1) for word in shlex.split(arguments))
            config.setdefault("Labels", {}).update(labels)
        elif keyword == "USER":
            config["User"] = arguments
        elif keyword == "EXPOSE" and arguments.isdigit():
            config.setdefault("ExposedPorts", {})[f"{arguments}/tcp"] = {}
        elif keyword in ("ENTRYPOINT", "CMD") and arguments.startswith("["):
            config[keyword.capitalize()] = json.loads(arguments)
        else:
            raise Unknown(f"{keyword} {arguments}")
    return copies, config


def context(root: pathlib.Path) -> list:
    """The files of the build context that .dockerignore lets through: nothing, except what it names after an `!`."""
    kept, left_out = [], []
    for number, line in enumerate((root / ".dockerignore").read_text().split("\n")):
        if (number == 0) != (line == "*") or any(character in line for character in "?[#") or "*" in line[1:]:
            raise Unknown(f".dockerignore: {line}")
        if line.startswith("!") and not left_out:
            kept.append(line[1:])
        elif line.startswith("!"):
            raise Unknown(f".dockerignore: {line} after what is left out again")
        elif line and number:
            left_out.append(line)
    files = (path for name in kept for path in ([root / name] if (root / name).is_file() else (root / name).rglob("*")))
    inside = lambda path, names: any(path == name or path.startswith(f"{name}/") for name in names)  # noqa: E731
    relative = (path.relative_to(root).as_posix() for path in files if path.is_file())
    return sorted(path for path in relative if not inside(path, left_out))
