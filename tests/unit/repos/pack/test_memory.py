"""However large a pack's objects are, little of it is in memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from gitdeploy.repos.pack import BLOB, PackError, PackLimits
from gitdeploy.repos.pack import limits as module
from tests.unit.repos.pack.conftest import Index
from tests.unit.repos.pack.corpus import copy, delta, insert, ofs_delta, oid, pack, record

_MEASURED = """
import struct, sys, zlib, hashlib, random
from pathlib import Path
from gitdeploy.repos.pack import PackIndexer, PackLimits

size, directory = int(sys.argv[1]), Path(sys.argv[2])
def peak():
    # Not ru_maxrss: a process inherits the peak of the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
indexer = PackIndexer(directory / "it.pack", limits=PackLimits(), find_base=lambda _: None)
digest = hashlib.sha1()
sent = 0
def feed(data):
    global sent
    sent += len(data)
    digest.update(data)
    indexer.feed(data)
def header(kind, size):
    byte, size, out = kind << 4 | size & 15, size >> 4, bytearray()
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    return bytes([*out, byte])
def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
feed(b"PACK" + struct.pack(">II", 2, 3))
feed(header(3, size))
start = 12
deflate = zlib.compressobj(0)
block = random.Random(1).randbytes(1 << 20)
for n in range(size >> 20):
    feed(deflate.compress(n.to_bytes(4, "big") + block[4:]))
feed(deflate.flush())
# Two deltas on it, each of which copies all of it and adds a line.
for line in (b"1", b"2"):
    copies = [b"\\xff" + struct.pack("<I", at << 20) + b"\\0\\0\\x10" for at in range(size >> 20)]
    change = number(size) + number(size + 1) + b"".join(copies) + b"\\1" + line
    back = sent - start
    out = [back & 0x7F]
    while back := back >> 7:
        back -= 1
        out.insert(0, 0x80 | back & 0x7F)
    feed(header(6, len(change)) + bytes(out) + zlib.compress(change))
indexer.feed(digest.digest())
done = indexer.finish()
assert done.count == 3
after = peak()
for one in done.new_oids:
    check = hashlib.sha1(b"blob %d\\0" % done.size_of(one))
    for piece in done.pieces(one):
        check.update(piece)
    assert check.digest() == one
print(after, peak())
"""


def test_a_blob_of_100_mib_and_deltas_on_it_take_little_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(100 << 20), str(tmp_path)],
        capture_output=True,
        check=True,
        text=True,
        timeout=100,
    )
    indexed, read = (int(number) for number in done.stdout.split())
    assert indexed < 80 << 10
    assert read < 80 << 10
    assert {path.name for path in tmp_path.iterdir()} == {"it.pack", "it.idx"}


def test_bases_beyond_the_window_wait_on_disk(index: Index) -> None:
    """A full binary tree of deltas: at each fork one side waits while the other is resolved."""
    contents: list[bytes] = [hashlib.sha256(b"root").digest() * 300]
    records = [record(BLOB, contents[0])]
    starts = [12]
    for n in range(1, 127):
        base = contents[(n - 1) // 2]
        made = base[:5000] + b"%03d" % n + base[5003:]
        change = delta(
            len(base), len(made), copy(0, 5000), insert(b"%03d" % n), copy(5003, len(base) - 5003)
        )
        starts.append(starts[-1] + len(records[-1]))
        records.append(ofs_delta(starts[n] - starts[(n - 1) // 2], change))
        contents.append(made)
    whole = pack(*records)
    for window in (64 << 20, 20_000, 0):
        done = index(whole, limits=PackLimits(window_bytes=window), fsck=False)
        assert set(done.new_oids) == {oid(BLOB, one) for one in contents}
        assert done.path.parent.joinpath("tmp.idx").exists()
    with pytest.raises(PackError, match="temporary space"):
        index(whole, limits=PackLimits(window_bytes=0, max_spill=10_000), fsck=False)


def test_a_chain_of_deltas_has_a_limit(index: Index) -> None:
    records = [record(BLOB, b"")]
    for size in range(30):
        records.append(
            ofs_delta(
                len(records[-1]),
                delta(size, size + 1, *([copy(0, size)] if size else []), insert(b"x")),
            )
        )
    assert index(pack(*records), limits=PackLimits(max_delta_depth=30)).count == 31
    with pytest.raises(PackError, match="chain of deltas is longer than 29"):
        index(pack(*records), limits=PackLimits(max_delta_depth=29))


def test_a_pack_may_not_inflate_without_end(index: Index) -> None:
    """Ten thousand deltas of a few bytes, each a whole MiB inflated."""
    base = bytes(1 << 20)
    records = [record(BLOB, base)]
    back = len(records[0])
    for n in range(2000):
        line = b"%04d" % n
        change = delta(len(base), len(base), copy(4, len(base) - 4), insert(line))
        records.append(ofs_delta(back, change))
        back += len(records[-1])
    whole = pack(*records)
    limits = PackLimits(max_bytes=len(whole))
    assert module.EXPANSION * len(whole) < 2000 << 20
    with pytest.raises(PackError, match="256 times max_push_size"):
        index(whole, limits=limits)
