"""The models' patterns in Python: which are translated, which are refused, and that none can hang."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import botocore
import msgspec
import pytest

from lambent.wire.patterns import Untranslatable, compile_pattern, translate

DATA = Path(botocore.__file__).parent / "data"


def patterns_of(*services: str) -> set[str]:
    found = set()
    for service in services:
        file = sorted((DATA / service).glob("*/service-2.json.gz"))[-1]
        shapes = msgspec.json.decode(gzip.decompress(file.read_bytes()))["shapes"]
        found |= {shape["pattern"] for shape in shapes.values() if "pattern" in shape}
    return found


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", "Größe 1/ß", "a<b"),
        (r"\P{C}*", "text", "a\u0007"),
        (r"[^\p{C}]+", "text", "\u0007"),
        (r"\p{ASCII}{1,4}", "abcd", "é"),
        (r"\p{XDigit}{4}", "00fF", "00fG"),
        (r"[\w-_]*", "a-_b", "a.b"),
        (r"\A[a-z]+\z", "abc", "abc\n"),
        (r"[a-z]+", "abc", "abc\n"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "a\U0001f600", "a\u0001"),
        (r"[\x{0022}a]+", 'a"a', "b"),
        (r"[a|b~]+", "a|~", "c"),
    ],
)
def test_a_pattern_means_in_python_what_it_means_to_aws(pattern: str, good: str, bad: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled is not None
    assert compiled.takes(good)
    assert not compiled.takes(bad)


@pytest.mark.parametrize("pattern", [r"[\p{Print}&&[^|:/]]+", r"[a-z[A-Z]]", r"\p{Klingon}"])
def test_what_python_cannot_say_is_refused(pattern: str) -> None:
    with pytest.raises(Untranslatable):
        translate(pattern)
    assert compile_pattern(pattern) is None


@pytest.mark.parametrize(
    "pattern", [r"(a+)+b", r"\$\{(\w+.)+\w+\}", r"(.*[\n ]?)*", r"((\.|_|__|-+)[a-z0-9]+)*x", r"(a|b+)*c"]
)
def test_a_pattern_that_could_hang_is_not_used(pattern: str) -> None:
    assert compile_pattern(pattern) is None


@pytest.mark.parametrize(
    "pattern", [r"arn:aws(-[a-z0-9]+)*:x", r"(/[!-.0-~]+)*/[a-z]+", r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"]
)
def test_rounds_that_something_tells_apart_are_safe(pattern: str) -> None:
    assert compile_pattern(pattern) is not None


def test_the_patterns_of_the_first_services_are_all_used() -> None:
    patterns = patterns_of("lambda", "logs", "iam", "sts", "sqs", "sns", "dynamodb", "kms")
    unused = {pattern for pattern in patterns if compile_pattern(pattern) is None}
    assert unused == {"([0-9a-f]{16})+"}


def test_hostile_values_are_answered_soon() -> None:
    patterns = patterns_of("lambda", "logs", "iam", "sts", "apigateway", "sagemaker", "ecr", "datasync")
    alphabet = ("a", "-", "a-", "/", ".a", "0", "aA0-_.:/", " ", "arn:aws", ":")
    for pattern in patterns:
        compiled = compile_pattern(pattern)
        for piece in alphabet:
            if compiled is None:
                continue
            value = piece * (min(compiled.longest, 4096) // len(piece)) + "\u0000"
            started = time.perf_counter()
            compiled.takes(value[-compiled.longest :])
            assert time.perf_counter() - started < 2, (pattern, piece)
