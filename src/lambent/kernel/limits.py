"""Every limit of the program by name, with its unit; AWS's own limits carry the page they come from."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# The program itself.
STOP_PATIENCE_S: Final = 10.0
RESTART_PAUSE_MIN_S: Final = 0.1
RESTART_PAUSE_MAX_S: Final = 30.0
RANDOM_RESERVE_BYTES: Final = 4 * KIB
HEAP_BLOCK_BYTES: Final = 32 * MIB
HEAP_KEPT_BYTES: Final = 32 * MIB

# HTTP. AWS's front ends refuse larger heads; the counts bound the work of a hostile client.
HTTP_HEAD_BYTES: Final = 64 * KIB
HTTP_HEADERS: Final = 200
HTTP_KEEP_ALIVE_S: Final = 75.0
HTTP_HEAD_S: Final = 30.0
HTTP_REQUEST_IDLE_S: Final = 60.0
HTTP_LINGER_S: Final = 10.0
HTTP_TICK_S: Final = 5.0
HTTP_CONNECTIONS: Final = 4096
HTTP_BACKLOG: Final = 1024
HTTP_PIPELINED: Final = 16
HTTP_SLICE_BYTES: Final = 16 * KIB
HTTP_BODY_BUFFER_BYTES: Final = 256 * KIB
HTTP_BODIES_BYTES: Final = 64 * MIB
HTTP_BODY_PIECES: Final = 64
HTTP_PIECE_BYTES: Final = 64
HTTP_DRAIN_BYTES: Final = MIB
HTTP_TRICKLE_BYTES: Final = 64 * KIB
ACCEPTED_PER_TURN: Final = 16
ACCEPT_RETRY_S: Final = 1.0
HOSTS_CACHED: Final = 256
REQUEST_BODY_BYTES: Final = 16 * MIB
REQUEST_BODIES_BYTES: Final = 512 * MIB
UNSIGNED_BODY_BYTES: Final = MIB
LOOP_BYTES: Final = MIB
BASE64_PIECE_LENGTH: Final = MIB
NESTING_DEPTH: Final = 64
EVENT_BYTES: Final = 24 * MIB
FORM_FIELDS: Final = 50_000
FORM_NODES: Final = 100_000
FORM_INDEX_DIGITS: Final = 9
VIOLATIONS_TOLD: Final = 10
VALUE_TOLD_LENGTH: Final = 1024
FOREIGN_MODELS_KEPT: Final = 2
MODEL_HEAD_BYTES: Final = 4 * KIB
ROUTES_REMEMBERED: Final = 1024
ROUTE_REMEMBERED_LENGTH: Final = 256
VALUES_REMEMBERED: Final = 1024
VALUE_REMEMBERED_LENGTH: Final = 256

# Fronts: further processes that speak HTTP.
FRONTS: Final = 64
FRONT_BODY_BYTES: Final = 256 * KIB
FRONT_MESSAGE_BYTES: Final = 32 * MIB
FRONT_PACKET_BYTES: Final = 64 * KIB
FRONT_PACKETS_PER_TURN: Final = 64
FRONT_PATIENCE_S: Final = 2.0
FRONT_START_S: Final = 60.0
FRONT_PULSE_S: Final = 5.0
FRONT_PULSES: Final = 3
FRONT_TASKS_RESTING: Final = 256

# Signatures: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
AUTHORIZATION_BYTES: Final = 8 * KIB
SCOPE_CACHED_LENGTH: Final = 1024
CLOCK_SKEW_S: Final = 15 * 60
CLOCK_AHEAD_S: Final = 5 * 60
PRESIGNED_MAX_S: Final = 7 * 24 * 3600
SIGNING_KEYS_CACHED: Final = 4096
TIMESTAMPS_CACHED: Final = 256
SIGNED_CHUNK_BYTES: Final = 16 * MIB
UNSIGNED_CHUNK_PIECE_BYTES: Final = 64 * KIB
LENGTH_DIGITS: Final = 18
CHUNK_LINE_BYTES: Final = KIB
CHUNK_TRAILERS: Final = 16

# The store.
STORE_QUEUE: Final = 10_000
STORE_BATCH: Final = 512
STORE_READERS: Final = 4
STORE_BUSY_S: Final = 5.0
STORE_STATEMENTS_CACHED: Final = 512
STORE_WAL_BYTES: Final = 64 * MIB
BLOB_BYTES: Final = 5 * 1024 * MIB
BLOB_CHUNK_BYTES: Final = 256 * KIB
OUTBOX_PAGE: Final = 100
OUTBOX_CONCURRENCY: Final = 32
OUTBOX_ABREAST: Final = 32
OUTBOX_DELIVERY_S: Final = 60.0
OUTBOX_ATTEMPTS: Final = 20
OUTBOX_RETRY_MIN_S: Final = 0.2
OUTBOX_RETRY_MAX_S: Final = 60.0
DEAD_EVENTS: Final = 10_000
DEAD_EVENTS_BYTES: Final = 256 * MIB
DEAD_EVENTS_SWEPT: Final = 100

# Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FUNCTION_ZIP_BYTES: Final = 52_428_800
FUNCTION_UNZIPPED_BYTES: Final = 262_144_000
FUNCTION_FILES: Final = 100_000
FUNCTION_ENVIRONMENT_BYTES: Final = 4 * KIB
FUNCTION_NAME_LENGTH: Final = 64
FUNCTION_MEMORY_MB: Final = 10_240
FUNCTION_TIMEOUT_S: Final = 900
FUNCTION_STORAGE_MB: Final = 10_240
DURABLE_RETENTION_DAYS: Final = 14
MANAGED_MEMORY_MB: Final = 2_048
MANAGED_CONCURRENCY: Final = 16
MANAGED_MEMORY_GIB_PER_VCPU: Final = 2.0
CAPACITY_PROVIDERS: Final = 1_000
CAPACITY_PROVIDERS_SETTLED: Final = 100
CAPACITY_PROVIDER_NAME_LENGTH: Final = 64
CAPACITY_PROVIDER_VCPUS: Final = 400
CAPACITY_PROVIDER_VERSIONS: Final = 100
MANAGED_ENVIRONMENTS_LEAST: Final = 1
MANAGED_ENVIRONMENTS_MOST: Final = 15_000
FUNCTIONS_LISTED: Final = 50
FUNCTIONS_CACHED: Final = 10_000
RUNTIME_ARNS_CACHED: Final = 1_024
FUNCTIONS_SETTLED: Final = 100
FUNCTION_READY_S: Final = 10.0
FUNCTION_LAYERS: Final = 5
IMAGE_REFERENCE_LENGTH: Final = 1_024
FUNCTION_SNAPSHOT_STORAGE_MB: Final = 512
FUNCTION_ALIASES: Final = 1_000
VERSION_DIGITS: Final = 18
ROUTES_CACHED: Final = 100
SNAPSHOTS_AT_ONCE: Final = 2
LAYERS_READ: Final = 50
LAYER_RUNTIMES: Final = 15
LAYER_ARCHITECTURES: Final = 2
UNRESERVED_MINIMUM: Final = 100
ACCOUNT_CONCURRENCY: Final = 1_000
ACCOUNT_CODE_BYTES: Final = 80_530_636_800
CODE_UNUSED_S: Final = 3_600.0
CODE_SWEEP_S: Final = 3_600.0
TAGS: Final = 50
INVOKE_REQUEST_BYTES: Final = 6_291_456
INVOKE_ASYNC_BYTES: Final = 1_048_576
INVOKE_PAYLOAD_BYTES: Final = 6_291_556
PAYLOAD_TOKEN_BYTES: Final = 256
CLIENT_CONTEXT_BYTES: Final = 3_583
LOG_TAIL_BYTES: Final = 4 * KIB
INIT_S: Final = 10.0
INIT_BURST_S: Final = INIT_S
MEMORY_MEASURED_S: Final = 1.0
MEMORY_UNMEASURED_MS: Final = 20.0
CODE_LINK_S: Final = 600
OBJECTS_READ: Final = 4
OBJECTS_CONNECT_S: Final = 5.0
OBJECTS_IDLE_S: Final = 10.0
OBJECT_READ_S: Final = 300.0
OBJECT_LINK_S: Final = 300
OBJECT_ERROR_BYTES: Final = 64 * KIB
LOG_LINE_BYTES: Final = 256 * KIB

# Function URLs: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
URLS_LISTED: Final = 50
URLS_CACHED: Final = 10_000
URL_PRELUDE_BYTES: Final = 64 * KIB
URL_HEADERS: Final = 200

# Policies of functions and layers: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
RESOURCE_POLICY_BYTES: Final = 20_480

# Environments.
ENVIRONMENT_OPEN_FILES: Final = 1024
SOURCES_SEARCHED: Final = 50
SOURCE_SEARCHED_BYTES: Final = 256 * KIB
PACKAGES_REMEMBERED: Final = 10_000
ENVIRONMENT_IDLE_S: Final = 600.0
CELL_ENDPOINT: Final = "http://127.0.0.1:4566"
CELLS_AHEAD: Final = 4
FREEZE_AFTER_S: Final = 0.05
FREEZE_TICK_S: Final = 0.01
INIT_AHEAD_S: Final = 130.0
IDLE_SWEEP_S: Final = 0.1
IDLE_SWEEP_EACH_S: Final = 0.001
CREDENTIALS_S: Final = 6 * 3600
CREDENTIALS_MARGIN_S: Final = 20 * 60
CHANNEL_PACKET_BYTES: Final = 64 * KIB
CHANNEL_PART_BYTES: Final = 4 * KIB
CHANNEL_PACKETS_PER_TURN: Final = 32
CHANNEL_PACKETS_DRAINED: Final = 1024
OUTPUT_READ_BYTES: Final = 32 * KIB
OUTPUT_READS_DRAINED: Final = 64
OUTPUT_BEHIND_BYTES: Final = 256 * KIB
OUTPUT_PAUSE_S: Final = 0.001
INTERPRETER_CHECK_S: Final = 20.0
INTERPRETERS_TRIED: Final = 32
ARCHIVE_NAME_BYTES: Final = 1024
ARCHIVE_PART_BYTES: Final = 255
ARCHIVE_LINK_BYTES: Final = 1024
ARCHIVE_DIRECTORY_BYTES: Final = 64 * MIB

# The Runtime and Extensions APIs: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
RUNTIME_API_CONNECTIONS: Final = 32
RUNTIME_API_CONNECTIONS_PER_WORKER: Final = 2
RUNTIME_API_ACCEPTED_PER_TURN: Final = 8
RUNTIME_API_PAUSE_S: Final = 0.1
RUNTIME_API_HEAD_BYTES: Final = MIB + 64 * KIB  # a runtime tells X-Ray of an error's cause in a header of up to 1 MiB
RUNTIME_API_REQUEST_BYTES: Final = 256 * MIB
RUNTIME_API_STREAM_BYTES: Final = 64 * KIB
RUNTIME_API_ERROR_BYTES: Final = 256 * KIB
EXTENSIONS: Final = 10
EXTENSION_BODY_BYTES: Final = 64 * KIB
EXTENSION_NAME_LENGTH: Final = 255
EXTENSION_ERROR_TYPE_LENGTH: Final = 128
SHUTDOWN_INTERNAL_S: Final = 0.5
SHUTDOWN_EXTERNAL_S: Final = 2.0
SHUTDOWN_RUNTIME_S: Final = 0.3
# Concurrency and scaling: https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
SCALING_ENVIRONMENTS: Final = 1_000
SCALING_PERIOD_S: Final = 10.0
TENANT_ENVIRONMENTS_PER_EXECUTION: Final = 2.5
SHARES_COUNTED: Final = 1_024
STARTS_LEAST: Final = 4
STARTS_PER_CORE: Final = 2
SETTLING_S: Final = 0.01
START_PATIENCE_S: Final = 0.05
KEEP_ALIVE_SWEEP_S: Final = 10.0
KEEP_ALIVE_LEAST: Final = 0.1
KEEP_ALIVE_MOST: Final = 6.0
KEEP_ALIVE_FLOOR_S: Final = 1.0
PAUSES_TOLD: Final = 4
PAUSES_REMEMBERED: Final = 64
RHYTHMS_REMEMBERED: Final = 4_096
MEMORY_AMPLE: Final = 0.25
MEMORY_SCARCE: Final = 0.05
MEMORY_STALLED: Final = 0.2
MANAGED_SATURATION: Final = 0.5
MANAGED_VCPUS_PER_CORE: Final = 4.0
PROVISION_RETRY_MIN_S: Final = 1.0
PROVISION_RETRY_MAX_S: Final = 300.0
PROVISION_RENEW_S: Final = 20 * 60

# CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
LOG_EVENT_BYTES: Final = 1_048_576
LOG_BATCH_BYTES: Final = 1_048_576
LOG_EVENT_OVERHEAD_BYTES: Final = 26
LOG_FLUSH_S: Final = 0.1
LOG_QUEUE_BYTES: Final = 64 * MIB
LOG_FLUSH_BYTES: Final = 4 * MIB
LOG_BATCH_SPAN_MS: Final = 24 * 3600 * 1000
LOG_TOO_OLD_MS: Final = 14 * 24 * 3600 * 1000
LOG_TOO_NEW_MS: Final = 2 * 3600 * 1000
LOG_CHUNK_SPAN_MS: Final = 3600 * 1000
LOG_CHUNK_BYTES: Final = 256 * KIB
LOG_PAGE_BYTES: Final = 1 * MIB
LOG_PAGE_EVENTS: Final = 10_000
LOG_SCAN_EVENTS: Final = 50_000
LOG_SCAN_BYTES: Final = 16 * MIB
LOG_STREAMS_MERGED: Final = 100
LOG_DESCRIBE_ITEMS: Final = 50
LOG_TAGS: Final = 50
LOG_PATTERN_REGEXES: Final = 2
LOG_REGEX_BYTES: Final = 1 * MIB
LOG_SWEEP_S: Final = 300.0
LOG_SWEEP_CHUNKS: Final = 500

# IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ROLES_PER_ACCOUNT: Final = 1_000
POLICIES_PER_ACCOUNT: Final = 1_500
POLICIES_PER_ROLE: Final = 10
POLICY_VERSIONS: Final = 5
POLICY_CHARACTERS: Final = 6_144
ROLE_POLICIES_CHARACTERS: Final = 10_240
TRUST_POLICY_CHARACTERS: Final = 2_048
IAM_TAGS: Final = 50
IAM_PAGE_ITEMS: Final = 100
ROLES_CACHED: Final = 1_000

# STS: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
SESSION_POLICY_CHARACTERS: Final = 2_048
SESSION_POLICY_ARNS: Final = 10
SESSION_PACKED_BYTES: Final = 2 * KIB
SESSION_DEFAULT_S: Final = 3_600
SESSION_CHAINED_S: Final = 3_600
SESSION_ROOT_S: Final = 3_600
SESSION_USER_S: Final = 43_200
SESSIONS_CACHED: Final = 4_096

# Response streaming: https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
STREAM_BYTES: Final = 200 * MIB
STREAM_BUFFER_BYTES: Final = 256 * KIB
HTTP_CONNECTIONS_ADDED: Final = 128

# Control groups. Twenty milliseconds keep the stalls of a small function short; below one the kernel refuses a quota.
FUNCTION_MEMORY_MB_PER_CPU: Final = 1_769
ENVIRONMENT_PROCESSES: Final = 1_024
CGROUP_CPU_PERIOD_US: Final = 20_000
CGROUP_CPU_QUOTA_MIN_US: Final = 1_000
CGROUP_KILL_PASSES: Final = 16
CGROUP_READ_BYTES: Final = 32 * KIB
CGROUP_SWEEP_S: Final = 5.0
KILLED_AT_ONCE: Final = 64
OVERDRAFT_STEP_BYTES: Final = MIB
OVERDRAFT_THREADS: Final = 4
OVERDRAFT_END_S: Final = 1.0

# Memory without control groups: a core can fill some 1.5 GiB in a second, and a look at a process takes 0.05 ms.
LOOK_LEAST_S: Final = 0.01
LOOK_MOST_S: Final = 0.25
LOOK_IDLE_S: Final = 60.0
LOOK_RETRY_S: Final = 1.0
LOOK_GROWTH_BYTES_PER_S: Final = 2 * 1024 * MIB
LOOK_IDLE_GROWTH_BYTES: Final = MIB
LOOK_CORES: Final = 0.1
LOOK_PROCESS_S: Final = 0.00005
LOOK_WALK_BYTES_PER_S: Final = 50 * 1024 * MIB
LOOK_THREADS: Final = 2

# Telemetry: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
TELEMETRY_ITEMS: Final = 10_000
TELEMETRY_ITEMS_MIN: Final = 1_000
TELEMETRY_BYTES: Final = 256 * KIB
TELEMETRY_BYTES_MAX: Final = MIB
TELEMETRY_DELAY_MS: Final = 1_000
TELEMETRY_DELAY_MIN_MS: Final = 25
TELEMETRY_DELAY_MAX_MS: Final = 30_000
TELEMETRY_TYPES: Final = 100
TELEMETRY_TARGET_LENGTH: Final = 2_048
TELEMETRY_REPLAY_ITEMS: Final = 1_000
TELEMETRY_REPLAY_BYTES: Final = MIB
TELEMETRY_RECORD_BYTES: Final = 512
TELEMETRY_ATTEMPTS: Final = 5
TELEMETRY_RETRY_S: Final = 0.1
TELEMETRY_FLUSH_S: Final = 1.0
TELEMETRY_ANSWER_BYTES: Final = 64 * KIB
TELEMETRY_READ_BYTES: Final = 4 * KIB

# Cells. The users lie in a range that nothing else hands out (https://systemd.io/UIDS-GIDS/), in blocks of as many as
# a server may have cells, up to the last number that is a user's everywhere.
CELLS: Final = 65_536
CELL_USERS_FROM: Final = 1_900_131_072
CELL_USER_BLOCKS: Final = 3_774
CELL_USERS_NAMED: Final = 1_024
CELL_MOUNT_FOLDER_BYTES: Final = 64 * KIB
CELL_ROOT_BYTES: Final = 32 * MIB
CELL_SHARED_MEMORY_BYTES: Final = 64 * MIB
CELL_INODES_PER_MB: Final = 64
CELL_PACKET_BYTES: Final = 160 * KIB
CELL_PACKETS_UNSENT: Final = 4_096
CELL_LOCKED_BYTES: Final = 64 * KIB
CELL_OOM_SCORE: Final = 500
CELLS_MADE_AT_ONCE: Final = 16
CELLS_FORESEEN: Final = 256
CELL_REFILL_S: Final = 0.05
CELL_RETRY_S: Final = 5.0
CELL_WAIT_S: Final = 60.0
ZYGOTE_UNUSED_S: Final = 600.0
ZYGOTE_END_S: Final = 5.0

# File systems. Whom their files belong to where each cell has a user of its own: one that no cell has, for ever the
# same, for it is written on disks.
FILE_SYSTEM_USER: Final = 1_900_065_536
FILE_SYSTEMS_PROVEN: Final = 1_024

# Outbound connections. The C library asks again after 5 s: by then two servers have been tried.
EGRESS_CONNECTS: Final = 64
EGRESS_CONNECTS_TOGETHER: Final = 1_024
EGRESS_CONNECT_S: Final = 130.0
EGRESS_CALLS_PER_TURN: Final = 32
EGRESS_PORTS_TRIED: Final = 16
EGRESS_ROUTE_BYTES: Final = 4 * KIB
EGRESS_FLOWS: Final = 1_024
EGRESS_FLOWS_OPEN: Final = 16
EGRESS_FLOW_IDLE_S: Final = 60.0
DATAGRAM_BYTES: Final = 65_535
DATAGRAMS_PER_TURN: Final = 32
DNS_SERVERS: Final = 3
DNS_QUESTIONS: Final = 128
DNS_CLIENTS: Final = 16
DNS_ANSWER_S: Final = 2.0
DNS_IDLE_S: Final = 10.0
DNS_PAUSE_S: Final = 0.1

# Snapshots: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
SNAPSHOTS: Final = 64
RESTORE_S: Final = 10.0
CELL_BRANCHES: Final = 1_024
CELL_BRANCH_NUMBERS: Final = 8_192
CELL_BRANCH_PROCESSES: Final = 4_096
CELL_BRANCH_FOLDER_BYTES: Final = MIB

# Event patterns: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
PATTERN_NUMBER: Final = 5_000_000_000

# Event source mappings: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
MAPPINGS_LISTED: Final = 100
MAPPINGS_SETTLED: Final = 100
MAPPING_FILTERS: Final = 5
MAPPING_RECORD_AGE_S: Final = 60
MAPPING_UNWINDOWED_BATCH: Final = 10
# Recursive loops: https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
LOOP_ROUNDS: Final = 16
LINEAGE_INVOCATIONS: Final = 32_767
LINEAGE_ROUNDS: Final = 255
LINEAGE_PERIOD: Final = 32
TRACE_HEADER_LENGTH: Final = 512

# Durable functions: https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
DURABLE_OPERATIONS: Final = 3_000
DURABLE_WRITTEN_BYTES: Final = 100 * MIB
DURABLE_PAYLOAD_BYTES: Final = MIB
DURABLE_ERROR_BYTES: Final = MIB
DURABLE_CALL_BYTES: Final = MIB
DURABLE_EVENT_BYTES: Final = MIB
DURABLE_PAGE_BYTES: Final = 5 * MIB
DURABLE_LISTED: Final = 100
DURABLE_LISTED_MOST: Final = 1_000
DURABLE_SYNC_S: Final = 900
DURABLE_LIFE_S: Final = 366 * 24 * 3_600
DURABLE_REQUEST_S: Final = 900
DURABLE_INVOCATIONS_FAILED: Final = 7
DURABLE_INVOCATIONS_IDLE: Final = 4
DURABLE_RETRY_MIN_S: Final = 1.0
DURABLE_RETRY_MAX_S: Final = 60.0
DURABLE_EVENTS_BYTES: Final = 256 * MIB
DURABLE_DUE: Final = 100
DURABLE_REMOVED: Final = 2_000
DURABLE_REMOVED_BYTES: Final = 16 * MIB
DURABLE_REST_S: Final = 60.0

# Asynchronous invocation: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
EVENT_INVOKE_BYTES: Final = MIB
ASYNC_RETRIES: Final = 2
ASYNC_RETRY_FIRST_S: Final = 60
ASYNC_RETRY_LATER_S: Final = 120
ASYNC_AGE_S: Final = 6 * 3_600
ASYNC_AGE_MIN_S: Final = 60
ASYNC_PAUSE_MIN_S: Final = 1
ASYNC_PAUSE_MAX_S: Final = 300
ASYNC_RUNNING: Final = 1_000
ASYNC_RUNNING_MOST: Final = 2_000
ASYNC_HELD: Final = 10_000
ASYNC_HELD_BYTES: Final = 256 * MIB
ASYNC_LINE_HELD: Final = 1_000
ASYNC_LINE_BYTES: Final = 4 * MIB
ASYNC_PAGE: Final = 200
ASYNC_PAGES_READ: Final = 2
ASYNC_REMOVED: Final = 2_000
ASYNC_REST_S: Final = 60.0

# What comes of asynchronous events: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
TOPIC_MESSAGE_BYTES: Final = 256 * KIB
DEAD_LETTER_MESSAGE_BYTES: Final = KIB
ELSEWHERE_THREADS: Final = 8
ELSEWHERE_CONNECT_S: Final = 5.0
ELSEWHERE_ANSWER_S: Final = 20.0
ELSEWHERE_TOLD_BYTES: Final = 4 * KIB
