from family_food.models.schema_tidy import tidy


def test_words_that_the_service_does_not_take_go() -> None:
    schema = {
        "$schema": "x",
        "title": "T",
        "type": "object",
        "properties": {"n": {"type": "integer", "exclusiveMinimum": 0, "minimum": 1, "examples": [1]}},
        "$defs": {"D": {"title": "D", "type": ["string", "null"]}},
        "additionalProperties": {"title": "any"},
    }
    assert tidy(schema) == {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}},
        "$defs": {"D": {"type": ["string", "null"]}},
        "additionalProperties": {},
    }
    assert schema["title"] == "T", "the original is untouched"


def test_names_and_values_that_look_like_words_of_the_schema_stay() -> None:
    schema = {"properties": {"title": {"default": {"title": "x"}}, "const": {"enum": ["title"]}}, "required": ["title"]}
    assert tidy(schema) == schema


def test_a_constant_becomes_an_enumeration_of_one() -> None:
    assert tidy({"anyOf": [{"const": "a"}, {"const": None}]}) == {"anyOf": [{"enum": ["a"]}, {"enum": [None]}]}


def test_the_format_of_a_string_moves_into_its_description() -> None:
    assert tidy({"type": "string", "format": "date"}) == {"type": "string", "description": "(format: date)"}
    assert tidy({"type": "string", "format": "date", "description": "When"})["description"] == "When (format: date)"
    assert tidy({"type": "integer", "format": "int32"}) == {"type": "integer", "format": "int32"}
