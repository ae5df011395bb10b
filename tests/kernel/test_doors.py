"""Addresses of their own: which requests are meant for them, and the URLs that lead there."""

from __future__ import annotations

import pytest

from lambent.kernel.doors import Address, Doors, Reply

ID = "k3v9x0m2a7q4w8e1r6t5y0u3i9o2p7s4"


class Nobody:
    """A door that answers nothing of interest."""

    async def answer(self, address: Address, visit: object) -> Reply:
        return Reply(204, [])


def doors(public_url: str = "") -> Doors:
    made = Doors(public_url)
    made.register("lambda-url", Nobody())
    return made


@pytest.mark.parametrize(
    "host",
    [
        f"{ID}.lambda-url.us-east-1.localhost",
        f"{ID}.lambda-url.us-east-1.localhost:4566",
        f"{ID}.lambda-url.us-east-1.localhost.",
        f"{ID}.lambda-url.us-east-1.localhost.:80",
        f"{ID.upper()}.Lambda-Url.US-EAST-1.LocalHost:4566",
        f"{ID}.lambda-url.us-east-1.on.aws",
    ],
)
def test_a_host_name_is_an_address(host: str) -> None:
    assert doors().at_host(host) == Address("lambda-url", ID, "us-east-1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1:4566",
        "lambda.us-east-1.amazonaws.com",
        "lambda-url.us-east-1.localhost",
        f"{ID}.execute-api.us-east-1.localhost",
        f"{ID}.lambda-url.us-east-1.evil.example",
        f"{ID}.lambda-url.us-east-1.notlocalhost",
        f"{ID}.lambda-url.us-east-1.localhost:port",
        f"{ID}.lambda-url.us-east-1.localhost:4566:80",
        f"www.{ID}.lambda-url.us-east-1.localhost",
        f"{ID}.lambda-url.localhost",
        f"{ID}.lambda-url.us-east-1.localhost\n",
        "." * 1000,
    ],
)
def test_any_other_host_name_is_none(host: str) -> None:
    assert doors().at_host(host) is None


@pytest.mark.parametrize(
    ("path", "below"),
    [
        (f"/_lambent/lambda-url/{ID}", "/"),
        (f"/_lambent/lambda-url/{ID}/", "/"),
        (f"/_lambent/lambda-url/{ID}/a%2Fb/../c", "/a%2Fb/../c"),
        (f"/_lambent/lambda-url/{ID}//", "//"),
    ],
)
def test_a_path_is_an_address(path: str, below: str) -> None:
    assert doors().at_path(path) == (Address("lambda-url", ID), below)


@pytest.mark.parametrize(
    "path", ["/", "/_lambent/health", f"/_lambent/other/{ID}/", f"/lambda-url/{ID}/", "/_lambent/lambda-url//a"]
)
def test_any_other_path_is_none(path: str) -> None:
    assert doors().at_path(path) is None


def test_a_kind_has_one_door() -> None:
    made = doors()
    with pytest.raises(ValueError, match="lambda-url has a door already"):
        made.register("lambda-url", Nobody())
    assert isinstance(made.door(Address("lambda-url", ID)), Nobody)


@pytest.mark.parametrize(
    ("public", "endpoint", "url"),
    [
        ("", "http://127.0.0.1:4566", f"http://{ID}.lambda-url.eu-west-1.localhost:4566/"),
        ("", "http://lambent.internal", f"http://{ID}.lambda-url.eu-west-1.localhost/"),
        ("https://f.example.com", "http://127.0.0.1:4566", f"https://{ID}.lambda-url.eu-west-1.f.example.com/"),
        ("http://f.example.com:81/", "http://[::1]:4566", f"http://{ID}.lambda-url.eu-west-1.f.example.com:81/"),
    ],
)
def test_the_url_of_an_address_leads_back_to_it(public: str, endpoint: str, url: str) -> None:
    made = doors(public)
    assert made.url(endpoint, "lambda-url", ID, "eu-west-1") == url
    host = url.split("/")[2]
    assert made.at_host(host) == Address("lambda-url", ID, "eu-west-1")
    assert made.host("lambda-url", ID, "eu-west-1") == host.partition(":")[0]


@pytest.mark.parametrize(
    ("public", "host", "front"),
    [
        ("", f"{ID}.lambda-url.eu-west-1.localhost:4566", ("http", "4566")),
        ("", "127.0.0.1", ("http", "80")),
        ("", "[::1]", ("http", "80")),
        ("", "[::1]:4566", ("http", "4566")),
        ("", "", ("http", "80")),
        ("https://f.example.com", f"{ID}.lambda-url.eu-west-1.f.example.com", ("https", "443")),
        ("https://f.example.com:8443", f"{ID}.lambda-url.eu-west-1.f.example.com:8443", ("https", "8443")),
        ("http://f.example.com", f"{ID}.lambda-url.eu-west-1.f.example.com", ("http", "80")),
        ("https://f.example.com", f"{ID}.lambda-url.eu-west-1.localhost:4566", ("http", "4566")),
    ],
)
def test_the_front_is_told_by_the_host(public: str, host: str, front: tuple[str, str]) -> None:
    assert doors(public).front(host) == front
