"""Add up what the pages of a Parquet file unpack to, before anything is unpacked.

The footer of a file may say anything of its sizes; a reader believes the header of each page, and makes room for it.

Source: Apache Parquet format (`PageHeader` in `parquet.thrift`); Thrift compact protocol.
"""

from __future__ import annotations

from typing import Any

_UNPACKED, _PACKED = 2, 3
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)
_MAX_DEPTH = 8


def unpacked_bytes(body: bytes, metadata: Any) -> int:
    """Return the sum over all pages of all columns.

    Args:
        body: The file.
        metadata: Its `pyarrow.parquet.FileMetaData`, from which the reader will take where columns lie.

    Raises:
        ValueError: a page header is damaged or lies outside of the file.
    """
    total = 0
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        for index in range(columns.num_columns):
            column = columns.column(index)
            begin = column.data_page_offset
            if column.dictionary_page_offset:
                begin = min(begin, column.dictionary_page_offset)
            total += _column(body, begin, begin + column.total_compressed_size)
    return total


def _column(body: bytes, at: int, end: int) -> int:
    if not 0 <= at <= end <= len(body):
        raise ValueError("a column lies outside of the file")
    total = 0
    while at < end:
        header = _Header(body, at)
        fields = header.read()
        unpacked, packed = fields.get(_UNPACKED, -1), fields.get(_PACKED, -1)
        if unpacked < 0 or packed < 0:
            raise ValueError("a page has no size")
        total += unpacked
        at = header.at + packed
    return total


class _Header:
    """Reads one struct of the compact protocol; keeps the whole numbers of its fields."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body = body
        self.at = at

    def read(self, depth: int = 0) -> dict[int, int]:
        if depth > _MAX_DEPTH:
            raise ValueError("a page header is nested too deeply")
        fields: dict[int, int] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._whole()
            value = self._value(head & 15, depth)
            if value is not None:
                fields[number] = value
        return fields

    def _value(self, kind: int, depth: int, *, in_list: bool = False) -> int | None:
        if kind in (_TRUE, _FALSE):
            self.at += in_list
        elif kind == _BYTE:
            self.at += 1
        elif kind in _INTEGERS:
            return self._whole()
        elif kind == _DOUBLE:
            self.at += 8
        elif kind == _BINARY:
            size = self._varint()
            self.at += size
        elif kind in (_LIST, _SET):
            self._list(depth)
        elif kind == _STRUCT:
            self.read(depth + 1)
        else:  # a page header holds no map
            raise ValueError("a page header is damaged")
        return None

    def _list(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError("a page header is nested too deeply")
        head = self._byte()
        size = head >> 4 if head >> 4 != 15 else self._varint()
        for _ in range(size):
            self._value(head & 15, depth + 1, in_list=True)
            if self.at > len(self._body):
                raise ValueError("a page header is damaged")

    def _byte(self) -> int:
        if not 0 <= self.at < len(self._body):
            raise ValueError("a page header is damaged")
        self.at += 1
        return self._body[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("a page header is damaged")

    def _whole(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
