"""A program of Windows without a compiler."""

from __future__ import annotations

import struct

_CALLS = (b"GetCommandLineA", b"lstrlenA", b"GetStdHandle", b"WriteFile", b"ExitProcess")
_AT = 0x1000


def windows_program() -> bytes:
    """One that writes its command line and ends with 7: PE32+ with a single section.

    Microsoft's "PE Format"; the machine code is amd64.
    """
    lookup, addresses = 40, 40 + 8 * (len(_CALLS) + 1)
    hints = addresses + 8 * (len(_CALLS) + 1)
    names, places = bytearray(), []
    for name in _CALLS:
        places.append(_AT + hints + len(names))
        names += b"\0\0" + name + b"\0" * (2 - len(name) % 2)
    library = _AT + hints + len(names)
    names += b"KERNEL32.dll\0"
    names += bytes(-(hints + len(names)) % 16)
    start = hints + len(names)
    table = struct.pack(f"<{len(_CALLS)}QQ", *places, 0)
    imports = struct.pack("<5I", _AT + lookup, 0, 0, library, _AT + addresses) + bytes(20)
    text = imports + table + table + bytes(names) + _code(start, addresses)
    return _headers(_AT + start).ljust(0x200, b"\0") + text.ljust(0x400, b"\0")


def _code(start: int, addresses: int) -> bytes:
    code = bytearray(b"\x48\x83\xec\x38")  # sub rsp, 56

    def call(name: bytes) -> None:  # call [rip + import]
        distance = addresses + 8 * _CALLS.index(name) - (start + len(code) + 6)
        code.extend(b"\xff\x15" + struct.pack("<i", distance))

    call(b"GetCommandLineA")
    code += b"\x48\x89\xc3\x48\x89\xc1"  # mov rbx, rax; mov rcx, rax
    call(b"lstrlenA")
    code += b"\x89\xc7\xb9" + struct.pack("<i", -11)  # mov edi, eax; mov ecx, STD_OUTPUT_HANDLE
    call(b"GetStdHandle")
    code += b"\x48\x89\xc1\x48\x89\xda\x41\x89\xf8"  # mov rcx, rax; mov rdx, rbx; mov r8d, edi
    code += b"\x4c\x8d\x4c\x24\x30"  # lea r9, [rsp + 48]
    code += b"\x48\xc7\x44\x24\x20" + bytes(4)  # mov qword [rsp + 32], 0
    call(b"WriteFile")
    code += b"\xb9\x07\0\0\0"  # mov ecx, 7
    call(b"ExitProcess")
    return bytes(code)


def _headers(entry: int) -> bytes:
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x22)
    head += struct.pack("<HBBIIIII", 0x20B, 14, 0, 0x400, 0, 0, entry, _AT)
    head += struct.pack("<QII", 0x140000000, 0x1000, 0x200)
    head += struct.pack("<HHHHHHIIIIHH", 6, 0, 0, 0, 6, 0, 0, 0x2000, 0x200, 0, 3, 0)
    head += struct.pack("<QQQQII", 1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16)
    head += bytes(8) + struct.pack("<II", _AT, 40) + bytes(8 * 14)
    sizes = struct.pack("<IIIIIIHHI", 0x400, _AT, 0x400, 0x200, 0, 0, 0, 0, 0xE0000020)
    return head + b".text\0\0\0" + sizes
