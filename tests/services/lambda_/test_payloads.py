"""Events: what is JSON, what is not, and what AWS says of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kernel import limits
from lambent.kernel.errors import AwsError
from lambent.services.lambda_.rules import payloads

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(documents)
def test_json_passes_untouched(document: object) -> None:
    for ascii_only in (True, False):
        payload = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "replace")
        assert payloads.checked(payload) is payload


@pytest.mark.parametrize("payload", [b"", b" ", b"\n\t\r "])
def test_an_empty_event_is_an_empty_object(payload: bytes) -> None:
    assert payloads.checked(payload) == b"{}"


@pytest.mark.parametrize("payload", [b'"\\ud800"', b'{"a": ["\\udc00x"]}'])
def test_half_a_surrogate_pair_in_an_escape_passes(payload: bytes) -> None:
    assert payloads.checked(payload) is payload


@given(st.binary(max_size=40))
def test_what_passes_is_json_and_the_rest_is_refused(payload: bytes) -> None:
    try:
        passed = payloads.checked(payload)
    except AwsError as error:
        assert error.code == "InvalidRequestContentException"
    else:
        json.loads(passed.decode())


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"badbod", "Unrecognized token 'badbod': was expecting (JSON String"),
        (b'{"a": tru}', "Unrecognized token"),
        (b"'test'", "Unexpected character (''' (code 39)): expected a valid value (JSON String"),
        (b'{"a" 1}', "Unexpected character ('1' (code 49)): was expecting a colon to separate"),
        (b'{"a": 1 "b": 2}', "was expecting comma to separate Object entries"),
        (b"[1 2]", "was expecting comma to separate Array entries"),
        (b"{a: 1}", "was expecting double-quote to start field name"),
        (b'{"a": 1,}', "was expecting double-quote to start field name"),
        (b"{} {}", "Expected space separating root-level values"),
        (b'"a\nb"', "Illegal unquoted character ((CTRL-CHAR, code 10))"),
        (rb'"\x"', "Unrecognized character escape 'x' (code 120)"),
        (b"01", "in numeric value"),
        (b'{"a": [1, 2', "Unexpected end-of-input"),
        (b'{"a": "\xff"}', "Invalid UTF-8 start byte 0xff"),
        (b'{"a": "\xc3(" }', "Invalid UTF-8 middle byte 0x28"),
        (b'"\xe2\x82', "Unexpected end-of-input"),
    ],
)
def test_what_aws_says(payload: bytes, words: str) -> None:
    with pytest.raises(AwsError) as caught:
        payloads.checked(payload)
    assert caught.value.code == "InvalidRequestContentException"
    assert caught.value.message.startswith(
        "Could not parse request body into json: Could not parse payload into json: "
    )
    assert words in caught.value.message


def test_the_place_is_named_by_line_and_column() -> None:
    with pytest.raises(AwsError, match="line: 3, column: 7"):
        payloads.checked(b'{\n "a": 1,\n "b": oops\n}')


def test_the_largest_event_passes_and_a_larger_one_does_not() -> None:
    largest = b'"' + b"a" * (limits.INVOKE_REQUEST_BYTES - 2) + b'"'
    assert payloads.checked(largest) is largest
    with pytest.raises(AwsError) as caught:
        payloads.checked(largest[:-1] + b'a"')
    assert caught.value.code == "RequestEntityTooLargeException"


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(AwsError, match="nesting depth"):
        payloads.checked(b"[" * 1_000_000)
