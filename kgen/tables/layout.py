"""Where the columns of a table are in a row, as it is encoded."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kgen.tables.column import Column


class Place(NamedTuple):
    """Where a part is in a row: its kind, its numbers, and the flag of gaps."""

    kind: str
    start: int
    stop: int
    flag: int


class Block(NamedTuple):
    """A column's numbers in a row, from `start` on, and its flag behind them."""

    column: Column
    start: int
    flag: int

    @property
    def places(self) -> Iterator[Place]:
        """Where the parts of the column are, in order."""
        start = self.start
        for part in self.column.parts:
            yield Place(part.kind, start, start + part.size, self.flag)
            start += part.size


def blocks_of(columns: Sequence[Column]) -> tuple[Block, ...]:
    """The blocks of columns whose numbers follow each other in a row."""
    blocks, start = [], 0
    for column in columns:
        blocks.append(Block(column, start, start + column.encoding.size))
        start += column.size
    return tuple(blocks)
