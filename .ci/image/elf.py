"""What the check asks of a program: is it static, is it stripped, for which processor is it.

Reads 64-bit little-endian ELF files, the only ones that the image can have.
"""

import dataclasses
import struct

PROCESSORS = {62: "amd64", 183: "arm64"}
DYNAMIC, INTERPRETER, STACK = 2, 3, 0x6474E551
NEEDED = 1
SYMBOLS = 2


@dataclasses.dataclass
class Program:
    architecture: str
    interpreter: bool
    libraries: int
    symbols: bool
    executable_stack: bool


def read(data: bytes) -> Program:
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (machine,) = struct.unpack_from("<H", data, 18)
    segments_at, sections_at = struct.unpack_from("<QQ", data, 32)
    segment_size, segments, section_size, sections = struct.unpack_from("<HHHH", data, 54)
    kinds, libraries, stack = set(), 0, True
    for number in range(segments):
        kind, flags, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, segments_at + number * segment_size)
        kinds.add(kind)
        if kind == DYNAMIC:
            libraries = sum(tag == NEEDED for tag, _ in struct.iter_unpack("<QQ", data[offset : offset + size]))
        if kind == STACK:
            stack = bool(flags & 1)
    tables = {struct.unpack_from("<I", data, sections_at + number * section_size + 4)[0] for number in range(sections)}
    return Program(PROCESSORS.get(machine, str(machine)), INTERPRETER in kinds, libraries, SYMBOLS in tables, stack)
