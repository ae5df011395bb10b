"""Every limit of the program by name, with its unit; AWS's own limits carry the page they come from."""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# The program itself.
STOP_PATIENCE_S: Final = 10.0
RESTART_PAUSE_MIN_S: Final = 0.1
RESTART_PAUSE_MAX_S: Final = 30.0

# HTTP. AWS's front ends refuse larger heads; the counts bound the work of a hostile client.
HTTP_HEAD_BYTES: Final = 64 * KIB
HTTP_HEADERS: Final = 200
HTTP_KEEP_ALIVE_S: Final = 75.0
HTTP_REQUEST_IDLE_S: Final = 60.0
HTTP_CONNECTIONS: Final = 4096
HTTP_BODY_BUFFER_BYTES: Final = 256 * KIB
REQUEST_BODY_BYTES: Final = 16 * MIB
NESTING_DEPTH: Final = 64

# Signatures: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
CLOCK_SKEW_S: Final = 15 * 60
PRESIGNED_MAX_S: Final = 7 * 24 * 3600
SIGNING_KEYS_CACHED: Final = 4096

# The store.
STORE_QUEUE: Final = 10_000
STORE_BATCH: Final = 512
OUTBOX_BATCH: Final = 100
OUTBOX_RETRY_MIN_S: Final = 0.2
OUTBOX_RETRY_MAX_S: Final = 60.0

# Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FUNCTION_ZIP_BYTES: Final = 52_428_800
FUNCTION_UNZIPPED_BYTES: Final = 262_144_000
FUNCTION_FILES: Final = 100_000
FUNCTION_ENVIRONMENT_BYTES: Final = 4 * KIB
FUNCTION_NAME_LENGTH: Final = 64
CREATE_FUNCTION_REQUEST_BYTES: Final = 70_167_211
INVOKE_PAYLOAD_BYTES: Final = 6_291_556
CLIENT_CONTEXT_BYTES: Final = 3_583
LOG_TAIL_BYTES: Final = 4 * KIB
INIT_S: Final = 10.0
ENVIRONMENT_IDLE_S: Final = 600.0
CODE_LINK_S: Final = 600

# CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
LOG_EVENT_BYTES: Final = 1_048_576
LOG_BATCH_BYTES: Final = 1_048_576
LOG_BATCH_EVENTS: Final = 10_000
LOG_EVENT_OVERHEAD_BYTES: Final = 26
LOG_FLUSH_S: Final = 0.1
LOG_QUEUE_BYTES: Final = 64 * MIB
