"""One well-formed request of every operation, for an account that has none of what they name."""

from __future__ import annotations

import json
from typing import Any

from tests.services.lambda_.packages import package
from tests.support import ROLE, RUNTIME

ACCOUNT = "111122223333"
PLACE = f"arn:aws:lambda:us-east-1:{ACCOUNT}"

FUNCTION = {"FunctionName": "nobody"}
EXECUTION = {
    "DurableExecutionArn": f"{PLACE}:function:nobody:1/durable-execution/0/00000000-0000-4000-8000-000000000000"
}
SIGNING = {"CodeSigningConfigArn": f"{PLACE}:code-signing-config:csc-00000000000000000"}
LAYER = {"LayerName": "nothing", "VersionNumber": 1}
PROVIDER = {"CapacityProviderName": "nobody"}
MAPPING = {"UUID": "00000000-0000-4000-8000-000000000000"}
RESOURCE = {"Resource": f"{PLACE}:function:nobody"}
POLICY = {"ResourceArn": f"{PLACE}:function:nobody"}
TOKEN = {"CheckpointToken": "AAAA"}
QUEUE = "arn:aws:sqs:us-east-1:111122223333:queue"
CODE = {"ZipFile": package("echo")}
SOUND = {"Runtime": RUNTIME, "Role": ROLE, "Handler": "index.handler", "Code": CODE}
STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": "*"}
NETWORK = {
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
    "PermissionsConfig": {"CapacityProviderOperatorRoleArn": ROLE},
}

REQUESTS: dict[str, dict[str, Any]] = {
    "AddLayerVersionPermission": {**LAYER, "StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*"},
    "AddPermission": {
        **FUNCTION,
        "StatementId": "s",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    },
    "CheckpointDurableExecution": {**EXECUTION, **TOKEN},
    "CreateAlias": {**FUNCTION, "Name": "live", "FunctionVersion": "1"},
    "CreateCapacityProvider": {**PROVIDER, **NETWORK},
    "CreateCodeSigningConfig": {
        "AllowedPublishers": {
            "SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/p/aaaaaaaaaa"]
        }
    },
    "CreateEventSourceMapping": {**FUNCTION, "EventSourceArn": QUEUE},
    "CreateFunction": {**FUNCTION, **SOUND},
    "CreateFunctionUrlConfig": {**FUNCTION, "AuthType": "NONE"},
    "DeleteAlias": {**FUNCTION, "Name": "live"},
    "DeleteCapacityProvider": PROVIDER,
    "DeleteCodeSigningConfig": SIGNING,
    "DeleteDurableExecution": EXECUTION,
    "DeleteEventSourceMapping": MAPPING,
    "DeleteFunction": FUNCTION,
    "DeleteFunctionCodeSigningConfig": FUNCTION,
    "DeleteFunctionConcurrency": FUNCTION,
    "DeleteFunctionEventInvokeConfig": FUNCTION,
    "DeleteFunctionUrlConfig": FUNCTION,
    "DeleteLayerVersion": LAYER,
    "DeleteProvisionedConcurrencyConfig": {**FUNCTION, "Qualifier": "1"},
    "DeleteResourcePolicy": POLICY,
    "GetAccountSettings": {},
    "GetAlias": {**FUNCTION, "Name": "live"},
    "GetCapacityProvider": PROVIDER,
    "GetCodeSigningConfig": SIGNING,
    "GetDurableExecution": EXECUTION,
    "GetDurableExecutionHistory": EXECUTION,
    "GetDurableExecutionState": {**EXECUTION, **TOKEN},
    "GetEventSourceMapping": MAPPING,
    "GetFunction": FUNCTION,
    "GetFunctionCodeSigningConfig": FUNCTION,
    "GetFunctionConcurrency": FUNCTION,
    "GetFunctionConfiguration": FUNCTION,
    "GetFunctionEventInvokeConfig": FUNCTION,
    "GetFunctionRecursionConfig": FUNCTION,
    "GetFunctionScalingConfig": {**FUNCTION, "Qualifier": "1"},
    "GetFunctionUrlConfig": FUNCTION,
    "GetLayerVersion": LAYER,
    "GetLayerVersionByArn": {"Arn": f"{PLACE}:layer:nothing:1"},
    "GetLayerVersionPolicy": LAYER,
    "GetPolicy": FUNCTION,
    "GetProvisionedConcurrencyConfig": {**FUNCTION, "Qualifier": "1"},
    "GetResourcePolicy": POLICY,
    "GetRuntimeManagementConfig": FUNCTION,
    "Invoke": FUNCTION,
    "InvokeAsync": {**FUNCTION, "InvokeArgs": b"{}"},
    "InvokeWithResponseStream": FUNCTION,
    "ListAliases": FUNCTION,
    "ListCapacityProviders": {},
    "ListCodeSigningConfigs": {},
    "ListDurableExecutionsByFunction": FUNCTION,
    "ListEventSourceMappings": FUNCTION,
    "ListFunctionEventInvokeConfigs": FUNCTION,
    "ListFunctionUrlConfigs": FUNCTION,
    "ListFunctionVersionsByCapacityProvider": PROVIDER,
    "ListFunctions": {},
    "ListFunctionsByCodeSigningConfig": SIGNING,
    "ListLayerVersions": {"LayerName": "nothing"},
    "ListLayers": {},
    "ListProvisionedConcurrencyConfigs": FUNCTION,
    "ListTags": RESOURCE,
    "ListVersionsByFunction": FUNCTION,
    "PauseDurableExecution": EXECUTION,
    "PublishLayerVersion": {"LayerName": "nothing", "Content": CODE},
    "PublishVersion": FUNCTION,
    "PutFunctionCodeSigningConfig": {**FUNCTION, **SIGNING},
    "PutFunctionConcurrency": {**FUNCTION, "ReservedConcurrentExecutions": 1},
    "PutFunctionEventInvokeConfig": {**FUNCTION, "MaximumRetryAttempts": 1},
    "PutFunctionRecursionConfig": {**FUNCTION, "RecursiveLoop": "Allow"},
    "PutFunctionScalingConfig": {
        **FUNCTION,
        "Qualifier": "1",
        "FunctionScalingConfig": {"MinExecutionEnvironments": 1},
    },
    "PutProvisionedConcurrencyConfig": {**FUNCTION, "Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
    "PutResourcePolicy": {**POLICY, "Policy": json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})},
    "PutRuntimeManagementConfig": {**FUNCTION, "UpdateRuntimeOn": "Auto"},
    "RemoveLayerVersionPermission": {**LAYER, "StatementId": "s"},
    "RemovePermission": {**FUNCTION, "StatementId": "s"},
    "ResumeDurableExecution": EXECUTION,
    "SendDurableExecutionCallbackFailure": {"CallbackId": "AAAA"},
    "SendDurableExecutionCallbackHeartbeat": {"CallbackId": "AAAA"},
    "SendDurableExecutionCallbackSuccess": {"CallbackId": "AAAA"},
    "StopDurableExecution": EXECUTION,
    "TagResource": {**RESOURCE, "Tags": {"a": "b"}},
    "UntagResource": {**RESOURCE, "TagKeys": ["a"]},
    "UpdateAlias": {**FUNCTION, "Name": "live"},
    "UpdateCapacityProvider": PROVIDER,
    "UpdateCodeSigningConfig": {**SIGNING, "Description": "d"},
    "UpdateEventSourceMapping": MAPPING,
    "UpdateFunctionCode": {**FUNCTION, **CODE},
    "UpdateFunctionConfiguration": {**FUNCTION, "Timeout": 5},
    "UpdateFunctionEventInvokeConfig": {**FUNCTION, "MaximumRetryAttempts": 1},
    "UpdateFunctionUrlConfig": {**FUNCTION, "AuthType": "NONE"},
}
