"""Which role a function may have, and whose its sessions are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lambent.kernel.settings import KeyPair
from tests.conftest import serving, settings_for
from tests.support import RUNTIME, archive, create

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Server

MINE, THEIRS = "111111111111", "222222222222"
WHO = {
    "app.py": "import boto3\ndef handler(event, context):\n"
    "    return boto3.client('sts').get_caller_identity()['Arn']\n"
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Server]:
    keys = (KeyPair("AKIAMINE", "mine", MINE), KeyPair("AKIATHEIRS", "theirs", THEIRS))
    with serving(settings_for(tmp_path, mode="production", keys=keys)) as server:
        yield server


def mine(server: Server, service: str) -> Any:
    return server.client(service, aws_access_key_id="AKIAMINE", aws_secret_access_key="mine")


def theirs(server: Server, service: str) -> Any:
    return server.client(service, aws_access_key_id="AKIATHEIRS", aws_secret_access_key="theirs")


def refusal(functions: Any, role: str) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        functions.create_function(
            FunctionName="f", Runtime=RUNTIME, Role=role, Handler="app.handler", Code={"ZipFile": archive(WHO)}
        )
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_a_function_is_known_by_the_id_of_its_role(lambent: Server) -> None:
    role = lambent.client("iam").create_role(RoleName="known", AssumeRolePolicyDocument=TRUST)["Role"]
    functions = lambent.client("lambda")
    who = {"app.py": WHO["app.py"].replace("Arn", "UserId")}
    create(functions, "f", who, "app.handler", Role=role["Arn"])
    answer = functions.invoke(FunctionName="f")
    assert json.loads(answer["Payload"].read()) == f"{role['RoleId']}:f"


def test_in_production_a_role_of_another_account_is_refused(production: Server) -> None:
    role = mine(production, "iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    code, status, message = refusal(theirs(production, "lambda"), role)
    assert (code, status, message) == ("AccessDeniedException", 403, "Cross-account pass role is not allowed.")
    with pytest.raises(ClientError) as caught:
        theirs(production, "sts").assume_role(RoleArn=role, RoleSessionName="session")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_in_production_the_role_must_exist(production: Server) -> None:
    code, status, message = refusal(mine(production, "lambda"), f"arn:aws:iam::{MINE}:role/nobody")
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert message == "The role defined for the function cannot be assumed by Lambda."


def test_in_development_any_role_will_do_and_the_function_acts_in_its_own_account(lambent: Server) -> None:
    functions = lambent.client("lambda")
    create(functions, "f", WHO, "app.handler", Role=f"arn:aws:iam::{THEIRS}:role/anybody", Timeout=30)
    assert functions.get_function_configuration(FunctionName="f")["Role"] == f"arn:aws:iam::{THEIRS}:role/anybody"
    arn = json.loads(functions.invoke(FunctionName="f")["Payload"].read())
    assert arn == "arn:aws:sts::000000000000:assumed-role/anybody/f"
