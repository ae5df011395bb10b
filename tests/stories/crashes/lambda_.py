"""A scenario for each operation of Lambda that changes something."""

from __future__ import annotations

import json
from typing import Any

from tests.services.lambda_.packages import package, source
from tests.stories.crashes.scenario import Scenario, Step
from tests.support import ROLE, RUNTIME

MODERN = {"Runtime": "python3.13"}
"""One that starts from snapshots and takes several events at a time."""
SNAPSHOTS = {"SnapStart": {"ApplyOn": "PublishedVersions"}}
F = {"FunctionName": "f"}
ARN = "arn:aws:lambda:us-east-1:<account>:function:f"
QUEUE = "arn:aws:sqs:us-east-1:<account>:queue"
PROFILE = "arn:aws:signer:us-east-1:<account>:/signing-profiles/p/aaaaaaaaaa"
PUBLISHERS = {"AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]}}
NETWORK = {
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
    "PermissionsConfig": {"CapacityProviderOperatorRoleArn": ROLE},
}
NEW = {"Runtime": RUNTIME, "Role": ROLE, "Handler": "index.handler", "Code": {"ZipFile": package("echo")}, **F}
OTHER = source(b"def handler(event, context):\n    return 'other'\n")
STATEMENT = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
DOCUMENT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": ARN}],
    }
)
LAYER = {"LayerName": "l", "VersionNumber": 1}
LAYER_STATEMENT = {"StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*"}
EXECUTION = {"DurableExecutionArn": "<execution>"}
CALLBACK = {"Id": "c", "Type": "CALLBACK", "Action": "START", "Name": "c"}
ONE = {**F, "Qualifier": "1"}
LIVE = {**F, "Qualifier": "live"}
PROVIDER = {"CapacityProviderName": "mine"}


def step(operation: str, *requests: dict[str, Any], **keep: str) -> Step:
    """One step, whose request is all of those put together."""
    whole: dict[str, Any] = {}
    for request in requests:
        whole |= request
    return Step(operation, whole, tuple(keep.items()))


CREATED = step("CreateFunction", NEW)
PUBLISHED = (CREATED, step("PublishVersion", F))
ALIASED = (*PUBLISHED, step("CreateAlias", F, {"Name": "live", "FunctionVersion": "1"}))
URL = step("CreateFunctionUrlConfig", F, {"AuthType": "NONE"})
EVENT_INVOKE = step("PutFunctionEventInvokeConfig", F, {"MaximumRetryAttempts": 1})
PERMITTED = step("AddPermission", F, STATEMENT)
SIGNED = step("CreateCodeSigningConfig", PUBLISHERS, signing="CodeSigningConfig.CodeSigningConfigArn")
MAPPED = step("CreateEventSourceMapping", F, {"EventSourceArn": QUEUE}, mapping="UUID")
LAYERED = step("PublishLayerVersion", {"LayerName": "l", "Content": {"ZipFile": package("echo")}})
PROVIDED = step("CreateCapacityProvider", PROVIDER, NETWORK, provider="CapacityProvider.CapacityProviderArn")
ON_INSTANCES = {
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": "<provider>",
        "PerExecutionEnvironmentMaxConcurrency": 2,
    }
}
MANAGED = (PROVIDED, step("CreateFunction", NEW, MODERN, {"CapacityProviderConfig": ON_INSTANCES}))
DURABLE = step("CreateFunction", NEW, {"DurableConfig": {"ExecutionTimeout": 86_400}})
BEGIN = {"Qualifier": "$LATEST", "InvocationType": "Event", "DurableExecutionName": "e", "Payload": "{}"}
RUNNING = (DURABLE, step("Invoke", F, BEGIN, execution="DurableExecutionArn"))
WAITING = (
    *RUNNING,
    step(
        "CheckpointDurableExecution",
        EXECUTION,
        {"CheckpointToken": "<token>", "Updates": [CALLBACK]},
        callback="NewExecutionState.Operations.0.CallbackDetails.CallbackId",
    ),
)
G = {"FunctionName": "g"}
TO_G = {"Destination": "arn:aws:lambda:us-east-1:<account>:function:g"}
RAISES = {"Code": {"ZipFile": source(b"def handler(event, context):\n    raise ValueError\n")}}
SUCCEEDING = (
    CREATED,
    step("CreateFunction", NEW, G),
    step("PutFunctionEventInvokeConfig", F, {"DestinationConfig": {"OnSuccess": TO_G}}),
)
FAILING = (
    step("CreateFunction", NEW, RAISES),
    step("CreateFunction", NEW, G),
    step("PutFunctionEventInvokeConfig", F, {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": TO_G}}),
)
ENDING = step("CreateFunction", NEW, {"DurableConfig": {"ExecutionTimeout": 600}, "Handler": "index.ends"})
ENDED = {**F, **BEGIN, "InvocationType": "RequestResponse"}
CALL = {"Id": "g", "Type": "CHAINED_INVOKE", "Action": "START", "ChainedInvokeOptions": {"FunctionName": "g:$LATEST"}}
WAIT = {"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 1}}
STOPPED = (*RUNNING, step("StopDurableExecution", EXECUTION))

FUNCTION = (
    step("GetFunction", F),
    step("GetFunctionConfiguration", F),
    step("ListFunctions", {"FunctionVersion": "ALL"}),
    step("GetAccountSettings"),
)
WHOLE = (
    *FUNCTION,
    step("ListVersionsByFunction", F),
    step("ListAliases", F),
    step("GetAlias", F, {"Name": "live"}),
    step("GetPolicy", F),
    step("GetResourcePolicy", {"ResourceArn": ARN}),
    step("ListTags", {"Resource": ARN}),
    step("GetFunctionConcurrency", F),
    step("GetFunctionUrlConfig", F),
    step("ListFunctionUrlConfigs", F),
    step("GetFunctionEventInvokeConfig", F),
    step("ListFunctionEventInvokeConfigs", F),
    step("GetFunctionCodeSigningConfig", F),
    step("GetFunctionRecursionConfig", F),
    step("GetRuntimeManagementConfig", F),
    step("ListProvisionedConcurrencyConfigs", F),
    step("ListDurableExecutionsByFunction", F),
)
VERSIONS = (*FUNCTION, step("ListVersionsByFunction", F))
ALIASES = (step("ListAliases", F), step("GetAlias", F, {"Name": "live"}))
POLICY = (step("GetPolicy", F), step("GetResourcePolicy", {"ResourceArn": ARN}), step("GetFunctionConfiguration", F))
URLS = (step("ListFunctionUrlConfigs", F), step("GetFunctionUrlConfig", F))
EVENT_INVOKES = (step("GetFunctionEventInvokeConfig", F), step("ListFunctionEventInvokeConfigs", F))
RESERVED = (step("GetFunctionConcurrency", F), step("GetFunction", F), step("GetAccountSettings"))
PROVISIONS = (step("ListProvisionedConcurrencyConfigs", F), step("GetProvisionedConcurrencyConfig", ONE))
SIGNINGS = (step("ListCodeSigningConfigs"),)
FUNCTION_SIGNING = (step("GetFunctionCodeSigningConfig", F), step("GetFunctionConfiguration", F))
MAPPINGS = (step("ListEventSourceMappings", F),)
LAYERS = (
    step("ListLayers"),
    step("ListLayerVersions", {"LayerName": "l"}),
    step("GetLayerVersion", LAYER),
    step("GetLayerVersionByArn", {"Arn": "arn:aws:lambda:us-east-1:<account>:layer:l:1"}),
    step("GetAccountSettings"),
)
LAYER_POLICY = (step("GetLayerVersionPolicy", LAYER),)
TAGS = (step("ListTags", {"Resource": ARN}), step("GetFunction", F))
PROVIDERS = (step("ListCapacityProviders"), step("GetCapacityProvider", PROVIDER))
EXECUTIONS = (step("ListDurableExecutionsByFunction", F),)
LIFE = (
    *EXECUTIONS,
    step("GetDurableExecution", EXECUTION),
    step("GetDurableExecutionHistory", EXECUTION),
)
CALLED_BACK = (*LIFE, step("GetDurableExecutionState", EXECUTION, {"CheckpointToken": "<token>"}))

SCENARIOS = (
    Scenario("CreateFunction", NEW, seen=WHOLE),
    Scenario("CreateFunction", {**NEW, "Publish": True}, seen=VERSIONS, case="published"),
    Scenario("CreateFunction", {**NEW, "CodeSigningConfigArn": "<signing>", "Tags": {"a": "b"}}, (SIGNED,),
             (*FUNCTION, *FUNCTION_SIGNING), case="signed"),
    Scenario("CreateFunction", MANAGED[1].request, (PROVIDED,), FUNCTION, case="managed"),
    Scenario("UpdateFunctionCode", {**F, "ZipFile": OTHER}, (CREATED,), (*VERSIONS, step("Invoke", F))),
    Scenario("UpdateFunctionCode", {**F, "ZipFile": OTHER, "Publish": True}, PUBLISHED, VERSIONS, case="published"),
    Scenario("UpdateFunctionConfiguration", {**F, "Timeout": 9}, (CREATED,), FUNCTION),
    Scenario("UpdateFunctionConfiguration", {**F, "Layers": ["arn:aws:lambda:us-east-1:<account>:layer:l:1"]},
             (CREATED, LAYERED), (*FUNCTION, *LAYERS), case="layers"),
    Scenario("DeleteFunction", F, (*ALIASED, URL, EVENT_INVOKE, PERMITTED, SIGNED,
             step("PutFunctionCodeSigningConfig", F, {"CodeSigningConfigArn": "<signing>"}),
             step("PutFunctionConcurrency", F, {"ReservedConcurrentExecutions": 1}),
             step("AddPermission", LIVE, STATEMENT),
             step("PutFunctionEventInvokeConfig", LIVE, {"MaximumRetryAttempts": 1}),
             step("CreateFunctionUrlConfig", LIVE, {"AuthType": "NONE"})), WHOLE),
    Scenario("DeleteFunction", F, WAITING, LIFE, case="durable"),
    Scenario("DeleteFunction", ONE, (*PUBLISHED, step("AddPermission", ONE, STATEMENT)),
             (*VERSIONS, step("GetPolicy", ONE)), case="version"),
    Scenario("PublishVersion", F, (CREATED,), VERSIONS),
    Scenario("PublishVersion", F,
             (step("CreateFunction", NEW, MODERN, SNAPSHOTS),), VERSIONS, case="snapshot"),
    Scenario("PublishVersion", F, MANAGED,
             (*VERSIONS, step("ListFunctionVersionsByCapacityProvider", PROVIDER)), case="managed"),
    Scenario("CreateAlias", {**F, "Name": "live", "FunctionVersion": "1"}, PUBLISHED, ALIASES),
    Scenario("UpdateAlias", {**F, "Name": "live", "FunctionVersion": "$LATEST"}, ALIASED, ALIASES),
    Scenario("DeleteAlias", {**F, "Name": "live"},
             (*ALIASED, step("AddPermission", LIVE, STATEMENT),
              step("CreateFunctionUrlConfig", LIVE, {"AuthType": "NONE"})),
             (*ALIASES, step("GetPolicy", LIVE), *URLS)),
    Scenario("AddPermission", {**F, **STATEMENT}, (CREATED,), POLICY),
    Scenario("RemovePermission", {**F, "StatementId": "s"}, (CREATED, PERMITTED), POLICY),
    Scenario("PutResourcePolicy", {"ResourceArn": ARN, "Policy": DOCUMENT}, (CREATED,), POLICY),
    Scenario("DeleteResourcePolicy", {"ResourceArn": ARN}, (CREATED, PERMITTED), POLICY),
    Scenario("CreateFunctionUrlConfig", {**F, "AuthType": "NONE"}, (CREATED,), URLS),
    Scenario("UpdateFunctionUrlConfig", {**F, "AuthType": "AWS_IAM"}, (CREATED, URL), URLS),
    Scenario("DeleteFunctionUrlConfig", F, (CREATED, URL), URLS),
    Scenario("PutFunctionEventInvokeConfig", {**F, "MaximumRetryAttempts": 0}, (CREATED,), EVENT_INVOKES),
    Scenario("UpdateFunctionEventInvokeConfig", {**F, "MaximumRetryAttempts": 0}, (CREATED, EVENT_INVOKE),
             EVENT_INVOKES),
    Scenario("DeleteFunctionEventInvokeConfig", F, (CREATED, EVENT_INVOKE), EVENT_INVOKES),
    Scenario("PutFunctionConcurrency", {**F, "ReservedConcurrentExecutions": 2}, (CREATED,), RESERVED),
    Scenario("DeleteFunctionConcurrency", F,
             (CREATED, step("PutFunctionConcurrency", F, {"ReservedConcurrentExecutions": 2})), RESERVED),
    Scenario("PutProvisionedConcurrencyConfig", {**ONE, "ProvisionedConcurrentExecutions": 1}, PUBLISHED, PROVISIONS),
    Scenario("DeleteProvisionedConcurrencyConfig", ONE,
             (*PUBLISHED, step("PutProvisionedConcurrencyConfig", ONE, {"ProvisionedConcurrentExecutions": 1})),
             PROVISIONS),
    Scenario("PutFunctionScalingConfig", {**ONE, "FunctionScalingConfig": {"MaxExecutionEnvironments": 3}},
             (*MANAGED, step("PublishVersion", F)), (step("GetFunctionScalingConfig", ONE),)),
    Scenario("PutFunctionRecursionConfig", {**F, "RecursiveLoop": "Allow"}, (CREATED,),
             (step("GetFunctionRecursionConfig", F),)),
    Scenario("PutRuntimeManagementConfig", {**F, "UpdateRuntimeOn": "FunctionUpdate"}, (CREATED,),
             (step("GetRuntimeManagementConfig", F),)),
    Scenario("CreateCodeSigningConfig", PUBLISHERS, seen=SIGNINGS),
    Scenario("UpdateCodeSigningConfig", {"CodeSigningConfigArn": "<signing>", "Description": "d"}, (SIGNED,),
             (*SIGNINGS, step("GetCodeSigningConfig", {"CodeSigningConfigArn": "<signing>"}))),
    Scenario("DeleteCodeSigningConfig", {"CodeSigningConfigArn": "<signing>"}, (SIGNED,), SIGNINGS),
    Scenario("PutFunctionCodeSigningConfig", {**F, "CodeSigningConfigArn": "<signing>"}, (CREATED, SIGNED),
             (*FUNCTION_SIGNING, step("ListFunctionsByCodeSigningConfig", {"CodeSigningConfigArn": "<signing>"}))),
    Scenario("DeleteFunctionCodeSigningConfig", F,
             (CREATED, SIGNED, step("PutFunctionCodeSigningConfig", F, {"CodeSigningConfigArn": "<signing>"})),
             FUNCTION_SIGNING),
    Scenario("CreateEventSourceMapping", {**F, "EventSourceArn": QUEUE}, (CREATED,), MAPPINGS),
    Scenario("UpdateEventSourceMapping", {"UUID": "<mapping>", "Enabled": False}, (CREATED, MAPPED),
             (*MAPPINGS, step("GetEventSourceMapping", {"UUID": "<mapping>"}))),
    Scenario("DeleteEventSourceMapping", {"UUID": "<mapping>"}, (CREATED, MAPPED), MAPPINGS),
    Scenario("PublishLayerVersion", LAYERED.request, seen=LAYERS),
    Scenario("DeleteLayerVersion", LAYER, (LAYERED, step("AddLayerVersionPermission", LAYER, LAYER_STATEMENT)), LAYERS),
    Scenario("AddLayerVersionPermission", {**LAYER, **LAYER_STATEMENT}, (LAYERED,), LAYER_POLICY),
    Scenario("RemoveLayerVersionPermission", {**LAYER, "StatementId": "s"},
             (LAYERED, step("AddLayerVersionPermission", LAYER, LAYER_STATEMENT)), LAYER_POLICY),
    Scenario("TagResource", {"Resource": ARN, "Tags": {"a": "b"}}, (CREATED,), TAGS),
    Scenario("UntagResource", {"Resource": ARN, "TagKeys": ["a"]},
             (CREATED, step("TagResource", {"Resource": ARN, "Tags": {"a": "b"}})), TAGS),
    Scenario("CreateCapacityProvider", PROVIDED.request, seen=PROVIDERS),
    Scenario("UpdateCapacityProvider",
             {**PROVIDER, "CapacityProviderScalingConfig": {"MaxVCpuCount": 20}}, (PROVIDED,), PROVIDERS),
    Scenario("DeleteCapacityProvider", PROVIDER, (PROVIDED,), PROVIDERS),
    Scenario("Invoke", F, (CREATED,), (step("Invoke", F),)),
    Scenario("Invoke", {**F, **BEGIN}, (DURABLE,), EXECUTIONS, case="durable"),
    Scenario("Invoke", {**F, **BEGIN}, (ENDING,), EXECUTIONS, runs=("f",), ends="SUCCEEDED", case="ending"),
    Scenario("Invoke", ENDED, (ENDING,), EXECUTIONS, runs=("f",), ends="SUCCEEDED", waits=True, case="awaited"),
    Scenario("Invoke", {**F, "InvocationType": "Event"}, SUCCEEDING, runs=("f", "g"), case="event"),
    Scenario("Invoke", {**F, "InvocationType": "Event"}, FAILING, runs=("f", "g"), case="failing event"),
    Scenario("InvokeAsync", {**F, "InvokeArgs": b"{}"}, SUCCEEDING, runs=("f", "g")),
    Scenario("DeleteFunction", F, (*SUCCEEDING, step("Invoke", F, {"InvocationType": "Event"})), FUNCTION,
             case="with events"),
    Scenario("InvokeWithResponseStream", F, (CREATED,), FUNCTION),
    Scenario("CheckpointDurableExecution",
             {**EXECUTION, "CheckpointToken": "<token>", "Updates": [CALLBACK]}, RUNNING, LIFE, once=True),
    Scenario("CheckpointDurableExecution", {**EXECUTION, "CheckpointToken": "<token>", "Updates": [CALL]},
             (step("CreateFunction", NEW, G), *RUNNING), LIFE, once=True, runs=("g",), ends="ChainedInvokeSucceeded",
             case="calling"),
    Scenario("CheckpointDurableExecution", {**EXECUTION, "CheckpointToken": "<token>", "Updates": [WAIT]}, RUNNING,
             LIFE, once=True, ends="WaitSucceeded", case="waiting"),
    Scenario("SendDurableExecutionCallbackSuccess", {"CallbackId": "<callback>"}, WAITING, CALLED_BACK),
    Scenario("SendDurableExecutionCallbackFailure", {"CallbackId": "<callback>"}, WAITING, LIFE),
    Scenario("SendDurableExecutionCallbackHeartbeat", {"CallbackId": "<callback>"}, WAITING, LIFE),
    Scenario("PauseDurableExecution", EXECUTION, RUNNING, LIFE),
    Scenario("ResumeDurableExecution", EXECUTION, (*RUNNING, step("PauseDurableExecution", EXECUTION)), LIFE),
    Scenario("StopDurableExecution", EXECUTION, RUNNING, LIFE),
    Scenario("DeleteDurableExecution", EXECUTION, STOPPED, LIFE, ends="GetDurableExecution: ResourceNotFoundException"),
)  # fmt: skip
