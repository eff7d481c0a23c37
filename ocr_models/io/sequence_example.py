"""The records of data sets: ``Example`` as TensorFlow's ``SequenceExample`` message, without TensorFlow.

The context describes the picture: ``image/id``, ``image/format`` ("png", "jpeg", …), ``image/data``, ``image/height``
and ``image/width``. Feature lists with one step per text describe the texts: ``image/text/quad`` (8 floats: x and y of
the four corners in pixels, clockwise from the text's own top-left), ``image/text/string`` and ``image/text/ignore`` (0
or 1). Feature lists with one step per token describe a caption: ``image/caption`` and ``image/caption_ids``.

The message is https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/example.proto. It is defined
here again, in a separate protobuf pool, so that it doesn't conflict with TensorFlow's definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from ocr_models.errors import DocumentError, Stage
from ocr_models.records import Example

_Kind = descriptor_pb2.FieldDescriptorProto
# The fields of each message in the order of their numbers: name, type, and whether it is repeated.
_MESSAGES: dict[str, list[tuple[str, int | str, bool]]] = {
    "BytesList": [("value", _Kind.TYPE_BYTES, True)],
    "FloatList": [("value", _Kind.TYPE_FLOAT, True)],
    "Int64List": [("value", _Kind.TYPE_INT64, True)],
    "Feature": [
        ("bytes_list", "BytesList", False),
        ("float_list", "FloatList", False),
        ("int64_list", "Int64List", False),
    ],
    "FeatureList": [("feature", "Feature", True)],
    "Features": [("feature", "map<Feature>", True)],
    "FeatureLists": [("feature_list", "map<FeatureList>", True)],
    "SequenceExample": [("context", "Features", False), ("feature_lists", "FeatureLists", False)],
}


def serialize_example(example: Example) -> bytes:
    """Serializes an example as a SequenceExample. Equal examples give equal bytes."""
    record = _SequenceExample()
    context = record.context.feature
    context["image/id"].bytes_list.value.append(example.image_id.encode())
    context["image/format"].bytes_list.value.append(example.image_format.encode())
    context["image/data"].bytes_list.value.append(example.data)
    context["image/height"].int64_list.value.append(example.height_px)
    context["image/width"].int64_list.value.append(example.width_px)
    lists = record.feature_lists.feature_list
    for quad, text, ignore in zip(example.quads, example.texts, example.ignore, strict=True):
        lists["image/text/quad"].feature.add().float_list.value.extend(quad.reshape(-1).tolist())
        lists["image/text/string"].feature.add().bytes_list.value.append(text.encode())
        lists["image/text/ignore"].feature.add().int64_list.value.append(int(ignore))
    for token in example.caption:
        lists["image/caption"].feature.add().bytes_list.value.append(token.encode())
    for token_id in example.caption_ids:
        lists["image/caption_ids"].feature.add().int64_list.value.append(token_id)
    return record.SerializeToString(deterministic=True)


def parse_example(payload: bytes) -> Example:
    """Parses a serialized SequenceExample. Records of other tools may lack everything but ``image/data``.

    Raises:
        DocumentError: with stage "decode", if the payload is no SequenceExample, has no ``image/data``, or its feature
            lists don't fit each other.
    """
    record = _parse(payload)
    lists = record.feature_lists.feature_list
    try:
        quads = [step.float_list.value for step in lists["image/text/quad"].feature]
        texts = tuple(step.bytes_list.value[0].decode() for step in lists["image/text/string"].feature)
        ignore = [bool(step.int64_list.value[0]) for step in lists["image/text/ignore"].feature]
        tokens = tuple(step.bytes_list.value[0].decode() for step in lists["image/caption"].feature)
        ids = tuple(step.int64_list.value[0] for step in lists["image/caption_ids"].feature)
        if not len(quads) == len(texts) == len(ignore):
            raise ValueError(f"{len(quads)} quads, {len(texts)} strings and {len(ignore)} ignore flags")
        return Example(
            image_id=_text(record, "image/id"),
            data=_image_data(record),
            image_format=_text(record, "image/format"),
            height_px=_integer(record, "image/height"),
            width_px=_integer(record, "image/width"),
            quads=np.array(quads, np.float32).reshape(-1, 4, 2),
            texts=texts,
            ignore=np.array(ignore, bool),
            caption=tokens,
            caption_ids=ids,
        )
    except (IndexError, ValueError) as error:
        raise DocumentError(Stage.DECODE, f"the record's lists don't fit: {error}") from error


def page_image_bytes(payload: bytes) -> bytes:
    """The encoded picture in a serialized SequenceExample: its context feature ``image/data``.

    Raises:
        DocumentError: with stage "decode", if the record has no such feature.
    """
    record = _parse(payload)
    del payload  # as large as the picture, which is copied twice
    return _image_data(record)


def _parse(payload: bytes) -> Any:
    try:
        return _SequenceExample.FromString(payload)
    except message.DecodeError as error:
        raise DocumentError(Stage.DECODE, f"the record is no SequenceExample ({error})") from error


def _image_data(record: Any) -> bytes:
    values = record.context.feature["image/data"].bytes_list.value
    if not values or not values[0]:
        raise DocumentError(Stage.DECODE, "the record has no context feature 'image/data'; expected a SequenceExample")
    return values[0]


def _text(record: Any, name: str) -> str:
    values = record.context.feature[name].bytes_list.value
    return values[0].decode() if values else ""


def _integer(record: Any, name: str) -> int:
    values = record.context.feature[name].int64_list.value
    return values[0] if values else 0


def _describe_messages() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for number, (field_name, kind, repeated) in enumerate(fields, start=1):
            field = described.field.add(
                name=field_name, number=number, label=_Kind.LABEL_REPEATED if repeated else _Kind.LABEL_OPTIONAL
            )
            if isinstance(kind, int):
                field.type = kind  # type: ignore[assignment]
            elif kind.startswith("map<"):
                field.type, field.type_name = _Kind.TYPE_MESSAGE, _add_map_entry(described, field_name, kind[4:-1])
            else:
                field.type, field.type_name = _Kind.TYPE_MESSAGE, f".tensorflow.{kind}"
        if name == "Feature":  # has only one kind of list
            described.oneof_decl.add(name="kind")
            for field in described.field:
                field.oneof_index = 0
    return file


def _add_map_entry(described: descriptor_pb2.DescriptorProto, field_name: str, value: str) -> str:
    """A map is a repeated message of entries, whose name protobuf prescribes."""
    entry = described.nested_type.add(name="".join(part.title() for part in field_name.split("_")) + "Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_Kind.LABEL_OPTIONAL, type=_Kind.TYPE_STRING)
    entry.field.add(
        name="value",
        number=2,
        label=_Kind.LABEL_OPTIONAL,
        type=_Kind.TYPE_MESSAGE,
        type_name=f".tensorflow.{value}",
    )
    return f".tensorflow.{described.name}.{entry.name}"


def _load_sequence_example() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_describe_messages().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.SequenceExample"))


_SequenceExample = _load_sequence_example()
