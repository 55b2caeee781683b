"""Loading the data of events: what is plain and right is seen in a tenth of marshmallow's time, and all else is left to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import marshmallow
from marshmallow import fields, validate

from anonchat.protocol.schemas import Truth, Whole

KINDS: Mapping[type[fields.Field[Any]], type] = {fields.String: str, Whole: int, Truth: bool}
CONSTANTS = (str, int, bool, type(None))


class _Plain(NamedTuple):
    """A field of text, a whole number or a truth; `least` and `most` bound the length of a text and a number."""

    key: str
    name: str
    kind: Any
    least: float
    most: float
    default: Any
    required: bool
    may_be_null: bool


class Loader:
    """Calls of it answer and raise what `schema.load` does.

    Data that a schema of plain fields takes is loaded here; whatever else there is, also all that is wrong, is given to
    marshmallow, which words the errors.
    """

    def __init__(self, schema: marshmallow.Schema) -> None:
        self._load = schema.load
        self._plain = _plain(schema)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if self._plain is not None and (loaded := self._quick(data, self._plain)) is not None:
            return loaded
        return self._load(data)  # type: ignore[no-any-return]

    @property
    def is_quick(self) -> bool:
        """Whether all of the schema's fields are plain."""
        return self._plain is not None

    @staticmethod
    def _quick(data: Mapping[str, Any], plain: tuple[_Plain, ...]) -> dict[str, Any] | None:
        """What the data is loaded as, or None where it is not surely right."""
        loaded: dict[str, Any] = {}
        found = 0
        for key, name, kind, least, most, default, required, may_be_null in plain:
            if key not in data:
                if required:
                    return None
                if default is not marshmallow.missing:
                    loaded[name] = default
                continue
            found += 1
            loaded[name] = value = data[key]
            if type(value) is kind:
                if not least <= (len(value) if kind is str else value) <= most:
                    return None
            elif value is not None or not may_be_null:
                return None
        return loaded if found == len(data) else None


def _plain(schema: marshmallow.Schema) -> tuple[_Plain, ...] | None:
    """The fields of a schema, if all of them are plain and nothing else is done when it loads."""
    as_usual = type(schema).load is marshmallow.Schema.load and not any(schema._hooks.values())
    if not as_usual or schema.many or schema.partial or schema.unknown != marshmallow.RAISE:
        return None
    found = []
    for name, field in schema.load_fields.items():
        bounds = _bounds(field)
        if type(field) not in KINDS or bounds is None or field.pre_load or field.post_load:
            return None
        if not (field.load_default is marshmallow.missing or isinstance(field.load_default, CONSTANTS)):
            return None
        key, target = field.data_key or name, field.attribute or name
        if "." in target:
            return None
        kind, default = KINDS[type(field)], field.load_default
        found.append(_Plain(key, target, kind, *bounds, default, field.required, field.allow_none))
    return tuple(found)


def _bounds(field: fields.Field[Any]) -> tuple[float, float] | None:
    """The least and the most that a field's validators let pass; None if they ask for anything else."""
    least, most = float("-inf"), float("inf")
    for validator in field.validators:
        if type(validator) is validate.Range and type(field) is Whole:
            if not (validator.min_inclusive and validator.max_inclusive):
                return None
        elif type(validator) is not validate.Length or type(field) is not fields.String or validator.equal is not None:
            return None
        least = max(least, least if validator.min is None else validator.min)
        most = min(most, most if validator.max is None else validator.max)
    return least, most
