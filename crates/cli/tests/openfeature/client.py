"""Evaluates cases through OpenFeature's SDK for Python and its OFREP provider, both unmodified, and prints what an application sees.

Standard input: {"url", "headers", "cases": [{"name", "key", "type", "default", "context"}]}. Standard output: {"client", "answers"}.
"""

import importlib.metadata
import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def context_of(attributes):
    attributes = dict(attributes)
    key = attributes.pop("targetingKey", None)
    return EvaluationContext(key, attributes)


def answer(client, case):
    details = getattr(client, f"get_{case['type']}_details")(
        case["key"], case["default"], context_of(case["context"])
    )
    return {
        "name": case["name"],
        "value": details.value,
        "variant": details.variant,
        "reason": details.reason and str(details.reason.value),
        "error": details.error_code and details.error_code.value,
        "message": details.error_message,
        "metadata": details.flag_metadata,
    }


def main():
    asked = json.load(sys.stdin)
    provider = OFREPProvider(asked["url"], headers_factory=lambda: asked["headers"])
    api.set_provider(provider)
    client = api.get_client()
    answers = [answer(client, case) for case in asked["cases"]]
    names = ["openfeature-sdk", "openfeature-provider-ofrep"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    json.dump({"client": versions, "answers": answers}, sys.stdout)


main()
