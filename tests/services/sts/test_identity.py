"""Who is asking, through boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from lambent.kernel.settings import KeyPair
from tests.conftest import serving, settings_for
from tests.services.iam.documents import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

KEY = "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize(("key", "account"), [("test", "000000000000"), ("111122223333", "111122223333")])
def test_the_caller_is_the_root_of_an_account(shared_lambent: Server, key: str, account: str) -> None:
    identity = shared_lambent.client("sts", aws_access_key_id=key).get_caller_identity()
    del identity["ResponseMetadata"]
    assert identity == {"UserId": account, "Account": account, "Arn": f"arn:aws:iam::{account}:root"}


def test_any_region_is_accepted(shared_lambent: Server) -> None:
    identity = shared_lambent.client("sts", region_name="eu-central-1").get_caller_identity()
    assert identity["Account"] == "000000000000"


def test_an_unknown_key_is_refused(shared_lambent: Server) -> None:
    sts = shared_lambent.client("sts", aws_access_key_id="nobody")
    expected = ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    assert refused(sts.get_caller_identity) == expected


def test_production_takes_the_configured_keys_only(tmp_path: Path) -> None:
    keys = (KeyPair(KEY, "secret", "444455556666"),)
    with serving(settings_for(tmp_path, mode="production", keys=keys)) as server:
        mine = server.client("sts", aws_access_key_id=KEY, aws_secret_access_key="secret")
        assert mine.get_caller_identity()["Account"] == "444455556666"
        assert mine.get_access_key_info(AccessKeyId=KEY)["Account"] == "444455556666"
        for key in ("test", "444455556666"):
            assert refused(server.client("sts", aws_access_key_id=key).get_caller_identity)[0] == "InvalidClientTokenId"


def test_the_account_of_a_key_is_told(shared_lambent: Server) -> None:
    sts = shared_lambent.client("sts", aws_access_key_id="111122223333")
    issued = sts.get_session_token()["Credentials"]["AccessKeyId"]
    assert shared_lambent.client("sts").get_access_key_info(AccessKeyId=issued)["Account"] == "111122223333"
    assert shared_lambent.client("sts").get_access_key_info(AccessKeyId="ASIAQNZGKIQY56JQ7WML")["Account"] == (
        "029608264753"
    )
    with pytest.raises(ClientError) as caught:
        sts.get_access_key_info(AccessKeyId="0123456789abcdef")
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_what_is_not_built_says_so(shared_lambent: Server) -> None:
    sts = shared_lambent.client("sts")
    code, message, status = refused(lambda: sts.get_federation_token(Name="alice"))
    assert (code, status) == ("NotImplemented", 501)
    assert "GetFederationToken" in message
