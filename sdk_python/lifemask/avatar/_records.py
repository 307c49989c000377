"""Typed access to untrusted JSON: every surprise is a `PackageError` that names the field."""

from __future__ import annotations

import datetime
import json
import math
from typing import TYPE_CHECKING, TypeVar

from lifemask._errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Choice = TypeVar("Choice")

_DAMAGED = "The package is damaged or was not made by lifemask; build it again."


def damaged(message: str, *, hint: str = _DAMAGED) -> PackageError:
    """Return the error for a package whose content breaks the format."""
    return PackageError(message, hint=hint)


def parse_json(data: bytes, where: str) -> object:
    """Parse strict JSON (no NaN, no infinity).

    Raises:
        PackageError: It is not UTF-8, not JSON, or nested too deeply.
    """
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise damaged(f"{where} is not valid JSON") from error


def write_json(value: object) -> bytes:
    """Return indented UTF-8 JSON with sorted keys: the same value gives the same bytes.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


class Record:
    """One JSON object whose fields are read with the type that they must have."""

    def __init__(self, value: object, where: str) -> None:
        """Wrap `value`; `where` names it in errors."""
        if not isinstance(value, dict):
            raise damaged(f"{where} is not an object")
        self._fields = value
        self._where = where

    def record(self, key: str) -> Record:
        """Return a nested object."""
        return Record(self._fields.get(key), f"{self._where}: {key!r}")

    def records(self, key: str) -> list[Record]:
        """Return a list of objects."""
        where = f"{self._where}: {key!r}"
        return [Record(item, f"{where}[{i}]") for i, item in enumerate(self._list(key))]

    def text(self, key: str, *, limit: int = 1000) -> str:
        """Return a printable string of at most `limit` characters."""
        value = self._fields.get(key)
        if not isinstance(value, str) or len(value) > limit or not value.isprintable():
            raise self._wrong(key, f"a printable text of at most {limit} characters")
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a string, or None where the field is null or absent."""
        return None if self._fields.get(key) is None else self.text(key)

    def optional_date(self, key: str) -> datetime.date | None:
        """Return a date written as `YYYY-MM-DD`, or None where the field is null or absent."""
        text = self.optional_text(key)
        try:
            return None if text is None else datetime.date.fromisoformat(text)
        except ValueError as error:
            raise self._wrong(key, "a date such as 2030-12-31") from error

    def choice(self, key: str, choices: Sequence[Choice]) -> Choice:
        """Return one of a few known texts."""
        value = self._fields.get(key)
        for choice in choices:
            if value == choice:
                return choice
        raise self._wrong(key, f"one of {', '.join(map(str, choices))}")

    def flag(self, key: str) -> bool:
        """Return a boolean."""
        value = self._fields.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def size(self, key: str) -> int:
        """Return a whole number >= 0."""
        value = self._fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(key, "a whole number >= 0")
        return value

    def numbers(self, key: str, *, limit: int) -> tuple[float, ...]:
        """Return a list of at most `limit` finite numbers."""
        values = self._list(key)
        if len(values) > limit or not all(_is_number(value) for value in values):
            raise self._wrong(key, f"a list of at most {limit} finite numbers")
        return tuple(float(value) for value in values)  # type: ignore[arg-type]

    def scalars(self, key: str) -> dict[str, float | int | str | bool]:
        """Return an object whose values are finite numbers, texts or booleans."""
        fields = self.record(key)._fields
        for name, value in fields.items():
            printable = name.isprintable() and (not isinstance(value, str) or value.isprintable())
            if not printable or not (isinstance(value, str | bool) or _is_number(value)):
                raise self._wrong(key, f"numbers, printable texts or booleans ({name!r} is not)")
        return dict(fields)

    def _list(self, key: str) -> list[object]:
        value = self._fields.get(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def _wrong(self, key: str, expected: str) -> PackageError:
        return damaged(f"{self._where}: {key!r} is not {expected}")


def _is_number(value: object) -> bool:
    """Whether a JSON value is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
