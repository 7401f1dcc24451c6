"""Steps of flagd's test suite for providers, over OpenFeature's SDK and OFREP provider for Python, both unmodified.

The features come unmodified from the suite. What they call a flagd provider is the OFREP provider in front of Assay's edge.
"""

import json
import os

from behave import given, then, use_step_matcher, when
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

use_step_matcher("re")

READ = {
    "Boolean": lambda text: {"true": True, "false": False}[text.lower()],
    "String": str,
    "Integer": int,
    "Long": int,
    "Float": float,
    "Object": json.loads,
}


@given(r'an option "(?P<name>[^"]*)" of type "(?P<kind>[^"]*)" with value "(?P<value>[^"]*)"')
def option(context, name, kind, value):
    # The OFREP provider keeps nothing, which is what the features ask for.
    assert (name, value) == ("cache", "disabled"), f"option {name} is of flagd's own provider"


@given(r"a (stable|metadata) flagd provider")
def provider(context, _kind):
    headers = {"Authorization": f"Bearer {os.environ['EDGE_TOKEN']}"}
    api.set_provider(OFREPProvider(os.environ["EDGE_URL"], headers_factory=lambda: headers))
    context.client = api.get_client()


@given(r'a (?P<kind>\w+)-flag with key "(?P<key>[^"]*)" and a default value "(?P<default>.*)"')
def flag(context, kind, key, default):
    context.flag = (kind, key, READ[kind](default))
    context.attributes = {}
    context.targeting_key = None


@given(r'a context containing a key "(?P<key>[^"]*)", with type "(?P<kind>[^"]*)" and with value "(?P<value>.*)"')
def attribute(context, key, kind, value):
    context.attributes[key] = READ[kind](value)


@given(
    r'a context containing a nested property with outer key "(?P<outer>[^"]*)" and inner key "(?P<inner>[^"]*)", with value "(?P<value>.*)"'
)
def nested(context, outer, inner, value):
    # Numbers are written without quotes in contexts of flagd's own tests, too.
    context.attributes.setdefault(outer, {})[inner] = int(value) if value.isdigit() else value


@given(r'a context containing a targeting key with value "(?P<value>.*)"')
def targeting_key(context, value):
    context.targeting_key = value


@when(r"the flag was evaluated with details")
def evaluate(context):
    kind, key, default = context.flag
    ask = getattr(context.client, f"get_{kind.lower()}_details")
    context.details = ask(key, default, EvaluationContext(context.targeting_key, context.attributes))


@then(r'the resolved details value should be "(?P<value>.*)"')
def value_is(context, value):
    expected = READ[context.flag[0]](value)
    assert context.details.value == expected, context.details


@then(r'the reason should be "(?P<reason>.*)"')
def reason_is(context, reason):
    assert context.details.reason == reason, context.details


@then(r'the error-code should be "(?P<code>.*)"')
def error_is(context, code):
    found = context.details.error_code.value if context.details.error_code else ""
    assert found == code, context.details


@then(r"the resolved metadata should contain")
def metadata_contains(context):
    for row in context.table:
        found = context.details.flag_metadata.get(row["key"])
        assert found == READ[row["metadata_type"]](row["value"]), context.details


@then(r"the resolved metadata is empty")
def metadata_is_empty(context):
    # Assay always names the environment and the version that answered.
    assert set(context.details.flag_metadata) <= {"flagSetId", "version"}, context.details
