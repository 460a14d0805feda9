"""The two descriptions in openapi/, and what a value must be to fit a schema of theirs."""

import re
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "openapi"
TYPES = {"string": str, "integer": int, "object": dict, "array": list}
WORDS_WITHOUT_A_CHECK = {"description", "default"}


class Description:
    def __init__(self, name):
        self.tree = yaml.safe_load((FOLDER / name).read_text())

    def resolve(self, node):
        """The node, or what its $ref leads to."""
        while "$ref" in node:
            target = self.tree
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/")]
            node = target
        return node

    def nodes(self, node=None, path=()):
        """All objects of the tree with the path to them, references not followed."""
        node = self.tree if node is None else node
        if isinstance(node, dict):
            yield path, node
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in children:
            yield from self.nodes(child, (*path, key))

    def operations(self):
        """(method, path, operation) of each."""
        for path, methods in self.tree["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def responses(self):
        """(method, path, status, response) of each; the status is None for the default."""
        for method, path, operation in self.operations():
            for status, response in operation["responses"].items():
                yield method, path, None if status == "default" else int(status), self.resolve(response)

    def misfits(self, value, schema, where="value"):
        """What is wrong with the value, as sentences. A word that is not understood here is an error of the test."""
        schema = self.resolve(schema)
        unknown = set(schema) - set(CHECKS) - WORDS_WITHOUT_A_CHECK
        assert not unknown, f"{unknown} in the schema of {where}"
        if "type" in schema and type(value) is not TYPES[schema["type"]]:
            return [f"{where} is no {schema['type']}: {value!r}"]
        return [problem for word in schema if word in CHECKS for problem in CHECKS[word](self, value, schema, where)]


def _check(is_right):
    def problems(_, value, schema, where):
        return [] if is_right(value, schema) else [f"{where} is {value!r}, not as {schema}"]

    return problems


def _properties(description, value, schema, where):
    for name, property_schema in schema["properties"].items():
        if name in value:
            yield from description.misfits(value[name], property_schema, f"{where}.{name}")


def _items(description, value, schema, where):
    for number, item in enumerate(value):
        yield from description.misfits(item, schema["items"], f"{where}[{number}]")


CHECKS = {
    "type": lambda *_: [],
    "properties": _properties,
    "items": _items,
    "const": _check(lambda value, schema: value == schema["const"]),
    "enum": _check(lambda value, schema: value in schema["enum"]),
    "pattern": _check(lambda value, schema: re.search(schema["pattern"], value)),
    "minimum": _check(lambda value, schema: value >= schema["minimum"]),
    "maximum": _check(lambda value, schema: value <= schema["maximum"]),
    "minLength": _check(lambda value, schema: len(value) >= schema["minLength"]),
    "maxLength": _check(lambda value, schema: len(value) <= schema["maxLength"]),
    "maxItems": _check(lambda value, schema: len(value) <= schema["maxItems"]),
    "required": _check(lambda value, schema: set(schema["required"]) <= set(value)),
    "additionalProperties": _check(lambda value, schema: set(value) <= set(schema["properties"])),
}
