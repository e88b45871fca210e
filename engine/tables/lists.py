"""Defines lists of answers, which notebooks show as tables, and which pandas, Arrow and Polars can read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from engine.errors import ConfigError

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow


class Shown(Protocol):
    """Describes any answer that can be converted to a dictionary."""

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields of the answer as a dictionary for JSON."""


T = TypeVar("T", bound=Shown)
L = TypeVar("L", bound="AnswerList[Any]")


class Tabular(ABC):
    """Is the base class of lists that can be converted to a table of pandas, Arrow or Polars."""

    def to_frame(self) -> pandas.DataFrame:
        """Returns the answers as a pandas DataFrame, with one row for each answer.

        Raises:
            ConfigError: pandas is not installed.
        """
        _require("pandas")
        frame: pandas.DataFrame = self._relation().df()
        return frame

    def to_arrow(self) -> pyarrow.Table:
        """Returns the answers as an Arrow table, with one row for each answer.

        Raises:
            ConfigError: pyarrow is not installed.
        """
        table: pyarrow.Table = _require("pyarrow").table(self._relation())
        return table

    def to_polars(self) -> polars.DataFrame:
        """Returns the answers as a Polars DataFrame, with one row for each answer.

        Raises:
            ConfigError: polars is not installed.
        """
        frame: polars.DataFrame = _require("polars").DataFrame(self._relation())
        return frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Returns the answers as an Arrow stream, which any library with Arrow's C interface can read."""
        stream: object = self._relation().__arrow_c_stream__(requested_schema)
        return stream

    @abstractmethod
    def _rows(self) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        """Returns the columns' DuckDB types, with column names as keys, and the rows as dictionaries."""

    def _relation(self) -> duckdb.DuckDBPyRelation:
        from engine.tables.columns import relation_of

        return relation_of(*self._rows())


class AnswerList(list[T], Tabular):
    """Holds answers, and works like a Python list, also in comparisons.

    A notebook shows an AnswerList as a table. The methods `to_frame`, `to_arrow` and `to_polars` return a
    table with one row for each answer. The columns of the table are the fields of an answer. For answers
    about movies, the fields of the movie's card, such as price and year, are columns too.

    Args:
        answers: the answers, best answer first.
        kind: the class of the answers, which determines the columns of the table, even if there are no
            answers.
    """

    _usual_kind: ClassVar[type[Any] | None] = None

    def __init__(self, answers: Iterable[T] = (), kind: type[T] | None = None) -> None:
        super().__init__(answers)
        self._kind: type[Any] | None = kind or self._usual_kind

    def _rows(self) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        from engine.tables.columns import types_of

        kind = type(self[0]) if self else self._kind
        return {} if kind is None else types_of(kind), [answer.to_dict() for answer in self]

    def _repr_html_(self) -> str:
        """Returns the list as an HTML table, for notebooks."""
        from engine.tables.markup import table_of

        return table_of([answer.to_dict() for answer in self])


class ListsOfReviewers(list[L], Tabular):
    """Holds the top lists of several reviewers, one list each, and works like a Python list of lists.

    A notebook shows each top list as a table. The methods `to_frame`, `to_arrow` and `to_polars` return a
    table with one row for each listed movie; the first column is the reviewer's id.

    Args:
        lists: the top lists, one for each reviewer.
        reviewer_ids: the reviewers' ids, in the order of the lists.
        kind: the class of the answers in the lists, which determines the columns of the table, even if all
            lists are empty.

    Attributes:
        reviewer_ids: the reviewers' ids, in the order of the lists.
    """

    def __init__(self, lists: Iterable[L], reviewer_ids: Iterable[str], kind: type[Any]) -> None:
        super().__init__(lists)
        self.reviewer_ids = tuple(reviewer_ids)
        self._kind = kind

    def _rows(self) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        from engine.tables.columns import types_of

        pairs = zip(self.reviewer_ids, self, strict=True)
        rows = [{"reviewer_id": one, **answer.to_dict()} for one, answers in pairs for answer in answers]
        return {"reviewer_id": "VARCHAR", **types_of(self._kind)}, rows

    def _repr_html_(self) -> str:
        """Returns the lists as HTML tables, for notebooks."""
        from engine.tables.markup import lists_of

        return lists_of(self.reviewer_ids, [[answer.to_dict() for answer in answers] for answers in self])


def _require(name: str) -> Any:
    """Imports and returns the library `name` (pandas, pyarrow or polars), which makes a table of answers.

    Raises:
        ConfigError: the library `name` is not installed.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"A table of {name} needs the package {name}; install it with: pip install {name}"
        ) from error
