"""The models' patterns in RE2: which are translated, which are refused, and that none can hang."""

from __future__ import annotations

import gzip
from pathlib import Path

import botocore
import msgspec
import pytest

from lambent.wire.patterns import compile_pattern

DATA = Path(botocore.__file__).parent / "data"


def patterns_of(*services: str) -> set[str]:
    found = set()
    for service in services:
        file = max((DATA / service).glob("*/service-2.json.gz"))
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
def test_a_pattern_means_here_what_it_means_to_aws(pattern: str, good: str, bad: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled is not None
    assert compiled.fullmatch(good)
    assert not compiled.fullmatch(bad)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[ -~]{0,2048}", "a" * 2048, "é"),
        (r"a{2,1500}", "a" * 2000, "a"),
        (r"[\u0021-\u007E]{1,3}", "abc", "a b"),
        (r"[{}a]{2}", "{a", "{b"),
    ],
)
def test_counts_beyond_what_re2_knows_lose_their_upper_end(pattern: str, good: str, bad: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled is not None
    assert compiled.fullmatch(good)
    assert not compiled.fullmatch(bad)


@pytest.mark.parametrize("pattern", [r"[\p{Print}&&[^|:/]]+", r"[a-z[A-Z]]", r"\p{Klingon}", r"(?!aws:)[a-z]+"])
def test_what_re2_cannot_say_is_not_tested(pattern: str) -> None:
    assert compile_pattern(pattern) is None


def test_the_patterns_of_the_first_services_are_all_used() -> None:
    unused = {
        pattern
        for pattern in patterns_of("lambda", "logs", "iam", "sts", "sqs", "sns", "dynamodb", "kms")
        if compile_pattern(pattern) is None
    }
    assert all("(?" in pattern for pattern in unused), unused
    assert len(unused) <= 12, unused


@pytest.mark.timeout(30)
def test_hostile_values_are_answered_soon() -> None:
    patterns = patterns_of("lambda", "logs", "iam", "sts", "apigateway", "sagemaker", "ecr", "datasync")
    values = [piece * 2000 + "\u0000" for piece in ("a", "-", "a-", "/", ".a", "0", "aA0-_.:/", " ", "arn:aws", ":")]
    for compiled in filter(None, map(compile_pattern, sorted(patterns))):
        for value in values:
            compiled.fullmatch(value)
