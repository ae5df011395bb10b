"""Settings: which source wins, and that every mistake is named with what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from lambent.cli import settings
from lambent.cli.failure import Exit, Failure
from lambent.kernel.settings import Elsewhere, S3Key, Settings

KEYS = '[[keys]]\naccess_key_id = "AKIAEXAMPLE"\nsecret_access_key = "a-secret"\n'


def write(folder: Path, text: str, name: str = settings.FILE) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    loaded = settings.load({}, {}, tmp_path)
    assert loaded.settings == Settings()
    assert loaded.file is None


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'port = 5001\nregion = "eu-west-1"\naccount = "111111111111"\n')
    loaded = settings.load({"port": 5003}, {"LAMBENT_PORT": "5002", "LAMBENT_REGION": "eu-west-2"}, tmp_path)
    assert (loaded.settings.port, loaded.settings.region) == (5003, "eu-west-2")
    assert loaded.settings.account == "111111111111"
    assert loaded.file == file


def test_every_setting_of_the_server_is_explained() -> None:
    assert set(settings.ALLOWED) == {field.name for field in msgspec.structs.fields(Settings)}


def test_every_setting_but_the_secrets_has_a_variable(tmp_path: Path) -> None:
    environ = {
        "LAMBENT_HOST": "::1",
        "LAMBENT_PORT": "0",
        "LAMBENT_DATA": "/srv/data",
        "LAMBENT_MODE": "development",
        "LAMBENT_ACCOUNT": "123456789012",
        "LAMBENT_REGION": "eu-west-1",
        "LAMBENT_ENVIRONMENT_IDLE_S": "2.5",
        "LAMBENT_CONCURRENCY": "7",
        "LAMBENT_CODE_BYTES": "9",
        "LAMBENT_FRONTS": "2",
        "LAMBENT_SANDBOX": "userns",
        "LAMBENT_CPU": "exact",
        "LAMBENT_INTERNET": "off",
        "LAMBENT_PUBLIC_URL": "https://f.example.com",
        "LAMBENT_S3_ENDPOINT": "http://127.0.0.1:9000",
    }
    assert {f"LAMBENT_{name.upper()}" for name in settings.FROM_VARIABLES} == set(environ)
    assert settings.load({}, environ, tmp_path).settings == Settings(
        host="::1", port=0, data="/srv/data", account="123456789012", region="eu-west-1",
        environment_idle_s=2.5, concurrency=7, code_bytes=9, fronts=2, sandbox="userns", cpu="exact", internet="off",
        public_url="https://f.example.com", s3_endpoint="http://127.0.0.1:9000",
    )  # fmt: skip


def test_a_network_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "lambent.toml").write_text('internet_allow = ["10.0.0.0/8", "10.0.0.0/33"]\n')
    with pytest.raises(Failure) as caught:
        settings.load({}, {}, tmp_path)
    assert caught.value.code == Exit.USAGE
    assert "internet_allow: '10.0.0.0/33' does not" in str(caught.value)
    assert "it takes a list of networks" in str(caught.value)


def test_the_key_of_an_s3_is_read_and_never_shown(tmp_path: Path) -> None:
    file = write(tmp_path, '[s3_key]\naccess_key_id = "a"\nsecret_access_key = "b"\n')
    assert settings.load({}, {}, tmp_path).settings.s3_key == S3Key("a", "b")
    file.write_text('s3_key = "hidden"\n')
    with pytest.raises(Failure) as caught:
        settings.load({}, {}, tmp_path)
    assert "hidden" not in str(caught.value)


def test_services_elsewhere_are_read_and_their_keys_never_shown(tmp_path: Path) -> None:
    where = 'endpoint = "https://sqs.example.com"\naccess_key_id = "a"\nsecret_access_key = "hidden"\n'
    file = write(tmp_path, f"[elsewhere.sqs]\n{where}")
    loaded = settings.load({}, {}, tmp_path).settings
    assert loaded.elsewhere == {"sqs": Elsewhere("https://sqs.example.com", "a", "hidden")}
    for wrong in (f"[elsewhere.kinesis]\n{where}", f"[elsewhere.sqs]\n{where}".replace("https", "ftp")):
        file.write_text(wrong)
        with pytest.raises(Failure, match="tables by sqs") as caught:
            settings.load({}, {}, tmp_path)
        assert "hidden" not in str(caught.value)


def test_a_folder_for_a_file_system_is_relative_to_the_file_and_has_to_be_there(tmp_path: Path) -> None:
    name = "fsap-0123456789abcdef0"
    write(tmp_path, f'[file_systems]\n{name} = "models"\n')
    with pytest.raises(Failure, match=f"{name}: there is no folder"):
        settings.load({}, {}, tmp_path)
    (tmp_path / "models").mkdir()
    assert settings.load({}, {}, tmp_path).settings.file_systems == {name: str(tmp_path / "models")}


def test_a_file_system_is_named_by_its_access_point(tmp_path: Path) -> None:
    write(tmp_path, '[file_systems]\nmodels = "."\n')
    with pytest.raises(Failure, match="it takes a table of folders by access point"):
        settings.load({}, {}, tmp_path)


@pytest.mark.parametrize("url", ["127.0.0.1:9000", "ftp://a", "http://", "http://a?b"])
def test_the_endpoint_of_an_s3_is_a_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(Failure, match="S3_ENDPOINT"):
        settings.load({}, {"LAMBENT_S3_ENDPOINT": url}, tmp_path)


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    assert settings.load({}, {"LAMBENT_PORT": ""}, tmp_path).settings.port == Settings().port


def test_the_file_is_found_by_flag_then_by_variable(tmp_path: Path) -> None:
    write(tmp_path, "port = 5001")
    write(tmp_path, "port = 5002", "second.toml")
    write(tmp_path, "port = 5003", "third.toml")
    variable = {"LAMBENT_CONFIG": "second.toml"}
    assert settings.load({}, variable, tmp_path).settings.port == 5002
    assert settings.load({"config": tmp_path / "third.toml"}, variable, tmp_path).settings.port == 5003


def test_a_data_folder_in_the_file_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = write(tmp_path / "etc", 'data = "state"')
    assert settings.load({"config": file}, {}, tmp_path).settings.data == str(tmp_path / "etc" / "state")


@pytest.mark.parametrize(
    ("flags", "environ", "expected"),
    [
        ({"port": 70000}, {}, "--port: 70000 is not allowed; it takes a whole number from 0 to 65535"),
        ({}, {"LAMBENT_PORT": "http"}, "LAMBENT_PORT: 'http' is not allowed; it takes a whole number from 0 to 65535"),
        ({}, {"LAMBENT_MODE": "prod"}, "LAMBENT_MODE: 'prod' is not allowed; it takes development or production"),
        ({}, {"LAMBENT_ACCOUNT": "12"}, "LAMBENT_ACCOUNT: '12' is not allowed; it takes 12 digits"),
        (
            {},
            {"LAMBENT_PUBLIC_URL": "f.example.com"},
            "LAMBENT_PUBLIC_URL: 'f.example.com' is not allowed; it takes the URL whose subdomains lead here",
        ),
        ({"config": "none.toml"}, {}, "--config: there is no settings file none.toml"),
        ({}, {"LAMBENT_CONFIG": "none.toml"}, "LAMBENT_CONFIG: there is no settings file none.toml"),
    ],
)
def test_a_mistake_is_named_with_its_source(
    tmp_path: Path, flags: dict[str, object], environ: dict[str, str], expected: str
) -> None:
    with pytest.raises(Failure, match=re.escape(expected)) as caught:
        settings.load(flags, environ, tmp_path)
    assert caught.value.code == Exit.USAGE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('port = "4566"', "port: '4566' is not allowed"),
        ("prot = 4566", "no setting is called prot; did you mean port?"),
        ("colour = 1", "no setting is called colour; there are host, port"),
        ("port = ", "not valid TOML"),
        ("[[keys]]\naccess_key_id = 'A'", "keys: it takes tables with access_key_id, secret_access_key"),
    ],
)
def test_a_mistake_in_the_file_names_the_file(tmp_path: Path, text: str, expected: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(Failure) as caught:
        settings.load({}, {}, tmp_path)
    assert str(caught.value).startswith(f"{file}: ")
    assert expected in str(caught.value)


def test_a_wrong_key_pair_is_reported_without_its_secret(tmp_path: Path) -> None:
    write(tmp_path, KEYS + "extra = 1\n")
    with pytest.raises(Failure) as caught:
        settings.load({}, {}, tmp_path)
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.com"])
def test_development_mode_listens_on_this_machine_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(Failure, match="well-known key pair test/test") as caught:
        settings.load({"host": host}, {}, tmp_path)
    assert caught.value.code == Exit.USAGE


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_loopback_addresses_are_fine_in_development_mode(tmp_path: Path, host: str) -> None:
    assert settings.load({"host": host}, {}, tmp_path).settings.host == host


def test_production_mode_needs_keys_and_may_listen_anywhere(tmp_path: Path) -> None:
    flags = {"mode": "production", "host": "192.0.2.7"}
    with pytest.raises(Failure, match="production mode needs a key pair of your own"):
        settings.load(flags, {}, tmp_path)
    write(tmp_path, KEYS)
    loaded = settings.load(flags, {}, tmp_path)
    assert loaded.settings.host == "192.0.2.7"
    assert loaded.settings.keys[0].access_key_id == "AKIAEXAMPLE"
    assert loaded.warnings == ()


def test_a_file_with_secrets_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    file = write(tmp_path, KEYS)
    file.chmod(0o644)
    assert settings.load({}, {}, tmp_path).warnings == (
        f"{file} holds secret keys and other users can read it: chmod 600 {file}",
    )


def test_the_log_level_comes_from_flag_then_variable() -> None:
    assert settings.log_level(None, {}) == "warning"
    assert settings.log_level(None, {"LAMBENT_LOG_LEVEL": "DEBUG"}) == "debug"
    assert settings.log_level("info", {"LAMBENT_LOG_LEVEL": "debug"}) == "info"
    with pytest.raises(Failure, match="LAMBENT_LOG_LEVEL: 'loud' is not allowed; it takes debug, info"):
        settings.log_level(None, {"LAMBENT_LOG_LEVEL": "loud"})


def test_the_guide_lists_every_setting_with_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "settings.md").read_text("utf-8")
    rows = {line.split("`")[1]: line for line in guide.splitlines() if line.startswith("| `")}
    for field in msgspec.structs.fields(Settings):
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        assert f"| {shown(field.name, default)} |" in rows[field.name]


def shown(name: str, default: object) -> str:
    """A default as the guide writes it."""
    if default in (None, (), {}, ""):
        return "by mode" if name in ("cpu", "internet") else "none"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
