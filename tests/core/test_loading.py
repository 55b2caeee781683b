"""What is loaded quickly is loaded as marshmallow loads it, and refused as it refuses it."""

from __future__ import annotations

from typing import Any

import marshmallow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import fields, validate

from anonchat import Schema, Truth, Whole
from anonchat.protocol import schemas
from anonchat.protocol.loading import Loader


class Everything(Schema):
    """Each plain kind, with and without bounds, defaults and nulls."""

    text = fields.String(required=True)
    short = fields.String(validate=validate.Length(1, 3))
    twice = fields.String(validate=[validate.Length(min=1), validate.Length(max=4)], load_default="x")
    number = Whole(validate=validate.Range(-2, 5), allow_none=True)
    truth = Truth(load_default=None, allow_none=True)
    renamed = fields.String(attribute="other_name", data_key="re")


SCHEMAS = (Everything(), schemas.SendMessage(), schemas.Typing(), schemas.MessageId())
KEYS = sorted({field.data_key or "" for schema in SCHEMAS for field in schema.load_fields.values()} | {"unknown"})
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 300),
    st.floats(),
    st.text(max_size=70),
    st.lists(st.integers(), max_size=2),
)


def outcome(load: Any, data: dict[str, Any]) -> Any:
    try:
        return load(dict(data))
    except marshmallow.ValidationError as error:
        return ("refused", error.messages)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: type(schema).__name__)
@given(data=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_both_agree(schema: marshmallow.Schema, data: dict[str, Any]) -> None:
    loader = Loader(schema)
    assert loader.is_quick
    assert repr(outcome(loader, data)) == repr(outcome(schema.load, data))


@given(
    text=st.text(),
    client_msg_id=st.text(max_size=66),
    reply=st.one_of(st.none(), st.text(max_size=66)),
    has_reply=st.booleans(),
)
def test_both_agree_on_messages(text: str, client_msg_id: str, reply: str | None, has_reply: bool) -> None:
    schema = schemas.SendMessage()
    data = {"text": text, "clientMsgId": client_msg_id, **({"replyToId": reply} if has_reply else {})}
    assert outcome(Loader(schema), data) == outcome(schema.load, data)


class Hooked(Schema):
    text = fields.String()

    @marshmallow.post_load
    def change(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "changed": True}


class Excluding(Schema):
    class Meta:
        unknown = marshmallow.EXCLUDE

    text = fields.String()


class Listed(Schema):
    text = fields.List(fields.String())


class Chosen(Schema):
    text = fields.String(validate=validate.OneOf(["a", "b"]))


class Open(Schema):
    number = Whole(validate=validate.Range(1, 3, max_inclusive=False))


class Made(Schema):
    text = fields.String(load_default=lambda: "made")


@pytest.mark.parametrize(
    "schema", [Hooked(), schemas.GetHistory(), Excluding(), Listed(), Chosen(), Open(), Made(), Everything(many=True)]
)
def test_what_is_not_plain_is_left_to_marshmallow(schema: marshmallow.Schema) -> None:
    assert not Loader(schema).is_quick


def test_what_is_not_plain_is_loaded_all_the_same() -> None:
    assert Loader(Hooked())({"text": "a"}) == {"text": "a", "changed": True}
    assert Loader(Made())({}) == {"text": "made"}
