"""Charsmap: a table character -> replacement in the form that sentence-piece tokenizers read.

In:  a dictionary of single characters and their replacements
Out: the bytes of a `precompiled_charsmap`: u32 length of a double-array trie, the trie, the replacements
Knows nothing of pieces and of where the table comes from.

The trie is Darts-clone's: a node with base b has its child for byte c in cell b ^ c, and its value in cell b.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_LEAF = 1 << 31  # marks a cell that holds a value
_HAS_VALUE = 1 << 8
_Node = dict[int, "_Node"]
_REACH = 256  # how far back holes are filled: further back few are left, and looking for them takes seconds
_VALUE = 0  # label of the value; no UTF-8 byte of a mapped character is 0


def charsmap(table: Mapping[str, str]) -> bytes:
    """Compile the table. A character U+0000 cannot be a key: it ends a string in this format."""
    root: _Node = {}
    values: dict[int, int] = {}
    blob = bytearray()
    for key, replacement in sorted(table.items()):
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[_VALUE] = {}
        values[id(node)] = len(blob)
        blob += replacement.encode() + b"\0"
    cells = _place(root, values)
    return struct.pack("<I", 4 * len(cells)) + struct.pack(f"<{len(cells)}I", *cells) + bytes(blob)


def _place(root: _Node, values: dict[int, int]) -> list[int]:
    cells: dict[int, int] = {0: 0}
    bases: set[int] = set()
    waiting = [(0, root)]
    start = 1
    while waiting:
        cell, node = waiting.pop()
        base = _free_base(node, cells, bases, start)
        start = max(start, base - _REACH)
        bases.add(base)
        cells[cell] |= _encode_offset(cell ^ base) | (_HAS_VALUE if _VALUE in node else 0)
        for label, child in node.items():
            if label == _VALUE:
                cells[base] = _LEAF | values[id(node)]
            else:
                cells[base ^ label] = label
                waiting.append((base ^ label, child))
    # Readers do not check bounds: every base ^ byte must be a cell.
    size = (max(*cells, *bases) | 0xFF) + 1
    return [cells.get(index, 0) for index in range(size)]


def _free_base(node: _Node, cells: dict[int, int], bases: set[int], start: int) -> int:
    """First base from `start` that no other node has and whose cells are all free."""
    base = start
    while base in bases or any(base ^ label in cells for label in node):
        base += 1
    return base


def _encode_offset(offset: int) -> int:
    """21 bits as they are; beyond that the low byte must be 0 and bit 9 says so."""
    if offset < 1 << 21:
        return offset << 10
    raise ValueError(f"the table needs an offset of {offset}, more than this trie holds")
