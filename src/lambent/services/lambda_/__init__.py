"""AWS Lambda: functions from zips, their versions, aliases, layers and concurrency, and synchronous invocation."""

from __future__ import annotations

from lambent.kernel.service import Service
from lambent.services.lambda_ import crossing
from lambent.services.lambda_.operations.aliases import (
    create_alias,
    delete_alias,
    get_alias,
    list_aliases,
    update_alias,
)
from lambent.services.lambda_.operations.code import update_function_code
from lambent.services.lambda_.operations.concurrency import (
    delete_function_concurrency,
    get_account_settings,
    get_function_concurrency,
    put_function_concurrency,
)
from lambent.services.lambda_.operations.configuration import get_function_configuration, update_function_configuration
from lambent.services.lambda_.operations.function import (
    create_function,
    delete_function,
    get_function,
    list_functions,
)
from lambent.services.lambda_.operations.invoke import invoke
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
from lambent.services.lambda_.operations.permissions import add_permission, get_policy, remove_permission
from lambent.services.lambda_.operations.provisioned import (
    delete_provisioned_concurrency_config,
    get_provisioned_concurrency_config,
    list_provisioned_concurrency_configs,
    put_provisioned_concurrency_config,
)
from lambent.services.lambda_.operations.urls import (
    create_function_url_config,
    delete_function_url_config,
    get_function_url_config,
    list_function_url_configs,
    update_function_url_config,
)
from lambent.services.lambda_.operations.versions import list_versions_by_function, publish_version
from lambent.services.lambda_.parts import Parts
from lambent.services.lambda_.targets import FunctionTarget
from lambent.services.lambda_.workers import CodeSweeper, Settler, Snapshotter

__all__ = ["Parts", "build"]


def build(parts: Parts) -> Service:
    """The service, registered on the road of targets."""
    parts.targets.register("lambda", FunctionTarget(parts))
    return Service(
        name="lambda",
        parts=parts,
        operations=crossing.guarded(
            add_layer_version_permission,
            add_permission,
            create_alias,
            create_function,
            create_function_url_config,
            delete_alias,
            delete_function,
            delete_function_concurrency,
            delete_function_url_config,
            delete_layer_version,
            delete_provisioned_concurrency_config,
            get_account_settings,
            get_alias,
            get_function,
            get_function_concurrency,
            get_function_configuration,
            get_function_url_config,
            get_layer_version,
            get_layer_version_by_arn,
            get_layer_version_policy,
            get_policy,
            get_provisioned_concurrency_config,
            invoke,
            invoke_with_response_stream,
            list_aliases,
            list_function_url_configs,
            list_functions,
            list_layer_versions,
            list_layers,
            list_provisioned_concurrency_configs,
            list_versions_by_function,
            publish_layer_version,
            publish_version,
            put_function_concurrency,
            put_provisioned_concurrency_config,
            remove_layer_version_permission,
            remove_permission,
            update_alias,
            update_function_code,
            update_function_configuration,
            update_function_url_config,
        ),
        preparations=(parts.capacity.restore,),
        workers={
            "code-sweeper": CodeSweeper(parts),
            "settler": Settler(parts),
            "snapshotter": Snapshotter(parts),
        },
    )
