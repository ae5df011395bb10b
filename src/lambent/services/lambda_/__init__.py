"""AWS Lambda: functions from zips, their versions, aliases, layers and concurrency, what they read from, and their
invocation in every way."""

from __future__ import annotations

from lambent.kernel.service import Service
from lambent.services.lambda_.access import crossing
from lambent.services.lambda_.durable.driving import Driver
from lambent.services.lambda_.durable.sweeping import Sweeper
from lambent.services.lambda_.operations.aliases import (
    create_alias,
    delete_alias,
    get_alias,
    list_aliases,
    update_alias,
)
from lambent.services.lambda_.operations.capacity_providers import (
    create_capacity_provider,
    delete_capacity_provider,
    get_capacity_provider,
    list_capacity_providers,
    list_function_versions_by_capacity_provider,
    update_capacity_provider,
)
from lambent.services.lambda_.operations.code import update_function_code
from lambent.services.lambda_.operations.concurrency import (
    delete_function_concurrency,
    get_account_settings,
    get_function_concurrency,
    put_function_concurrency,
)
from lambent.services.lambda_.operations.configuration import get_function_configuration, update_function_configuration
from lambent.services.lambda_.operations.durable_callbacks import (
    send_durable_execution_callback_failure,
    send_durable_execution_callback_heartbeat,
    send_durable_execution_callback_success,
)
from lambent.services.lambda_.operations.durable_checkpoints import (
    checkpoint_durable_execution,
    get_durable_execution_state,
)
from lambent.services.lambda_.operations.durable_executions import (
    delete_durable_execution,
    get_durable_execution,
    get_durable_execution_history,
    list_durable_executions_by_function,
    pause_durable_execution,
    resume_durable_execution,
    stop_durable_execution,
)
from lambent.services.lambda_.operations.event_invoke import (
    delete_function_event_invoke_config,
    get_function_event_invoke_config,
    list_function_event_invoke_configs,
    put_function_event_invoke_config,
    update_function_event_invoke_config,
)
from lambent.services.lambda_.operations.function import (
    create_function,
    delete_function,
    get_function,
    list_functions,
)
from lambent.services.lambda_.operations.invoke import invoke
from lambent.services.lambda_.operations.invoke_async import invoke_async
from lambent.services.lambda_.operations.invoke_with_response_stream import invoke_with_response_stream
from lambent.services.lambda_.operations.layer_permissions import (
    add_layer_version_permission,
    get_layer_version_policy,
    remove_layer_version_permission,
)
from lambent.services.lambda_.operations.layers import (
    delete_layer_version,
    get_layer_version,
    get_layer_version_by_arn,
    list_layer_versions,
    list_layers,
    publish_layer_version,
)
from lambent.services.lambda_.operations.mappings import (
    create_event_source_mapping,
    delete_event_source_mapping,
    get_event_source_mapping,
    list_event_source_mappings,
    update_event_source_mapping,
)
from lambent.services.lambda_.operations.permissions import add_permission, get_policy, remove_permission
from lambent.services.lambda_.operations.provisioned import (
    delete_provisioned_concurrency_config,
    get_provisioned_concurrency_config,
    list_provisioned_concurrency_configs,
    put_provisioned_concurrency_config,
)
from lambent.services.lambda_.operations.recursion import get_function_recursion_config, put_function_recursion_config
from lambent.services.lambda_.operations.resource_policies import (
    delete_resource_policy,
    get_resource_policy,
    put_resource_policy,
)
from lambent.services.lambda_.operations.runtime_management import (
    get_runtime_management_config,
    put_runtime_management_config,
)
from lambent.services.lambda_.operations.scaling import get_function_scaling_config, put_function_scaling_config
from lambent.services.lambda_.operations.signing import (
    create_code_signing_config,
    delete_code_signing_config,
    delete_function_code_signing_config,
    get_code_signing_config,
    get_function_code_signing_config,
    list_code_signing_configs,
    list_functions_by_code_signing_config,
    put_function_code_signing_config,
    update_code_signing_config,
)
from lambent.services.lambda_.operations.tags import list_tags, tag_resource, untag_resource
from lambent.services.lambda_.operations.urls import (
    create_function_url_config,
    delete_function_url_config,
    get_function_url_config,
    list_function_url_configs,
    update_function_url_config,
)
from lambent.services.lambda_.operations.versions import list_versions_by_function, publish_version
from lambent.services.lambda_.parts import Parts
from lambent.services.lambda_.queue.attempts import Dispatcher
from lambent.services.lambda_.queue.sweeping import EventSweeper
from lambent.services.lambda_.rules.urls import KIND
from lambent.services.lambda_.targets import FunctionTarget
from lambent.services.lambda_.urls.door import UrlDoor
from lambent.services.lambda_.workers import CodeSweeper, Initialiser, MappingSettler, ProviderSettler, Settler

_CODE = "packages on S3 come from the S3 that the setting `s3_endpoint` names, and images are kept, not fetched"
_KEPT = (
    "networks, tracing, keys of KMS and images are kept and shown, and nothing is done with them: "
    "a function with an image answers 501 when it is invoked, and SnapStart is refused to it. File systems are folders "
    "of this machine. "
    "Accelerators and customer-managed runtimes are kept and shown; a function with the latter answers 501 as well. "
    "Dead letters go to the queues and topics that the setting `elsewhere` names; others lie with the dead events"
)
_QUEUE = (
    "records for queues, topics, event buses and buckets go to those that the setting `elsewhere` names; without it "
    "they lie with the dead events (`lambent dead-events`)"
)
_RUNTIMES = (
    "managed runtimes but Python's are refused; functions run on the machine's own architecture, whichever they name"
)
_SIGNER = (
    "there is no AWS Signer here, so no package counts as signed: `Enforce` refuses all of them, `Warn` lets them in"
)
_SOURCES = "nothing reads from the source yet"

_NOTES = {
    "CreateCapacityProvider": "its instances are this machine; networks and instance types are kept and shown",
    "CreateCodeSigningConfig": _SIGNER,
    "CreateEventSourceMapping": _SOURCES,
    "CreateFunction": f"{_RUNTIMES}; {_CODE}; {_KEPT}",
    "DeleteFunction": "the executions of a durable function go with it at once; AWS lets them end first",
    "PublishLayerVersion": "packages on S3 come from the S3 that the setting `s3_endpoint` names",
    "PutFunctionCodeSigningConfig": _SIGNER,
    "PutFunctionEventInvokeConfig": _QUEUE,
    "PutRuntimeManagementConfig": "there is one version of each runtime, so nothing is ever updated",
    "UpdateCodeSigningConfig": _SIGNER,
    "UpdateEventSourceMapping": _SOURCES,
    "UpdateFunctionCode": f"{_CODE}; whether it is signed cannot be found out",
    "UpdateFunctionConfiguration": f"{_RUNTIMES}; {_KEPT}",
    "UpdateFunctionEventInvokeConfig": _QUEUE,
}

__all__ = ["Parts", "build"]


def build(parts: Parts) -> Service:
    """The service, registered on the roads of targets and of doors."""
    parts.targets.register("lambda", FunctionTarget(parts))
    parts.doors.register(KIND, UrlDoor(parts))
    return Service(
        name="lambda",
        parts=parts,
        operations=crossing.guarded(
            add_layer_version_permission,
            add_permission,
            checkpoint_durable_execution,
            create_alias,
            create_capacity_provider,
            create_code_signing_config,
            create_event_source_mapping,
            create_function,
            create_function_url_config,
            delete_alias,
            delete_capacity_provider,
            delete_code_signing_config,
            delete_durable_execution,
            delete_event_source_mapping,
            delete_function,
            delete_function_code_signing_config,
            delete_function_concurrency,
            delete_function_event_invoke_config,
            delete_function_url_config,
            delete_layer_version,
            delete_provisioned_concurrency_config,
            delete_resource_policy,
            get_account_settings,
            get_alias,
            get_capacity_provider,
            get_code_signing_config,
            get_durable_execution,
            get_durable_execution_history,
            get_durable_execution_state,
            get_event_source_mapping,
            get_function,
            get_function_code_signing_config,
            get_function_concurrency,
            get_function_configuration,
            get_function_event_invoke_config,
            get_function_recursion_config,
            get_function_scaling_config,
            get_function_url_config,
            get_layer_version,
            get_layer_version_by_arn,
            get_layer_version_policy,
            get_policy,
            get_provisioned_concurrency_config,
            get_resource_policy,
            get_runtime_management_config,
            invoke,
            invoke_async,
            invoke_with_response_stream,
            list_aliases,
            list_capacity_providers,
            list_code_signing_configs,
            list_durable_executions_by_function,
            list_event_source_mappings,
            list_function_event_invoke_configs,
            list_function_url_configs,
            list_function_versions_by_capacity_provider,
            list_functions,
            list_functions_by_code_signing_config,
            list_layer_versions,
            list_layers,
            list_provisioned_concurrency_configs,
            list_tags,
            list_versions_by_function,
            pause_durable_execution,
            publish_layer_version,
            publish_version,
            put_function_code_signing_config,
            put_function_concurrency,
            put_function_event_invoke_config,
            put_function_recursion_config,
            put_function_scaling_config,
            put_provisioned_concurrency_config,
            put_resource_policy,
            put_runtime_management_config,
            remove_layer_version_permission,
            remove_permission,
            resume_durable_execution,
            send_durable_execution_callback_failure,
            send_durable_execution_callback_heartbeat,
            send_durable_execution_callback_success,
            stop_durable_execution,
            tag_resource,
            untag_resource,
            update_alias,
            update_capacity_provider,
            update_code_signing_config,
            update_event_source_mapping,
            update_function_code,
            update_function_configuration,
            update_function_event_invoke_config,
            update_function_url_config,
        ),
        notes=_NOTES,
        preparations=(parts.capacity.restore, parts.denials.restore),
        workers={
            "capacity-providers": ProviderSettler(parts),
            "code-sweeper": CodeSweeper(parts),
            "driver": Driver(parts),
            "durable-sweeper": Sweeper(parts),
            "event-sweeper": EventSweeper(parts),
            "initialiser": Initialiser(parts),
            "events": Dispatcher(parts),
            "mapping-settler": MappingSettler(parts),
            "settler": Settler(parts),
        },
    )
