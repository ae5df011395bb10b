BEGIN TRANSACTION;
CREATE TABLE dead_events (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    event BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL
);
INSERT INTO "dead_events" VALUES(1,'arn:aws:lambda:us-east-1:000000000000:function:gone',X'7B226E223A317D',20,'no such function');
CREATE TABLE iam_attachment (
    account TEXT NOT NULL,
    role_key TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (account, role_key, policy_arn)
);
CREATE TABLE iam_policy (
    account TEXT NOT NULL,
    name_key TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, name_key)
);
CREATE TABLE iam_policy_version (
    account TEXT NOT NULL,
    policy_key TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, policy_key, number)
);
CREATE TABLE iam_role (
    account TEXT NOT NULL,
    name_key TEXT NOT NULL,
    path TEXT NOT NULL,
    boundary TEXT,
    record TEXT NOT NULL,
    PRIMARY KEY (account, name_key)
);
CREATE TABLE iam_role_policy (
    account TEXT NOT NULL,
    role_key TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, role_key, name)
);
CREATE TABLE lambda_alias (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, name)
);
INSERT INTO "lambda_alias" VALUES('000000000000','us-east-1','echo','live','{"account":"000000000000","region":"us-east-1","function":"echo","name":"live","version":"1","description":"","weights":{},"revision_id":"b03359e2-566e-4096-abe1-08b6dc41618c"}');
CREATE TABLE lambda_capacity_provider (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE TABLE lambda_durable_event (
    execution TEXT NOT NULL,
    id INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (execution, id)
);
INSERT INTO "lambda_durable_event" VALUES('cd8768ef-ef47-48b3-8654-4bdcc08116af',1,'{"id":1,"type":"ExecutionStarted","at_ms":1795286903075,"details":{"Input":{"Payload":"{\"Id\": \"c\", \"Type\": \"CALLBACK\", \"Action\": \"START\", \"Name\": \"answer\", \"CallbackOptions\": {\"TimeoutSeconds\": 500}}","Truncated":false},"ExecutionTimeout":600},"operation_id":"cd8768ef-ef47-48b3-8654-4bdcc08116af","name":"asks"}');
INSERT INTO "lambda_durable_event" VALUES('6df3ee65-16c1-4256-b339-0180fcd69fe8',1,'{"id":1,"type":"ExecutionStarted","at_ms":1795286903111,"details":{"Input":{"Payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"Name\": \"later\", \"WaitOptions\": {\"WaitSeconds\": 300}}","Truncated":false},"ExecutionTimeout":600},"operation_id":"6df3ee65-16c1-4256-b339-0180fcd69fe8","name":"waits"}');
INSERT INTO "lambda_durable_event" VALUES('358384d7-1302-463f-8058-d9f0280daf2a',1,'{"id":1,"type":"ExecutionStarted","at_ms":1795286903132,"details":{"Input":{"Payload":"{\"Id\": \"f\", \"Type\": \"CHAINED_INVOKE\", \"Action\": \"START\", \"Name\": \"child\", \"Payload\": \"{\\\"Id\\\": \\\"w\\\", \\\"Type\\\": \\\"WAIT\\\", \\\"Action\\\": \\\"START\\\", \\\"WaitOptions\\\": {\\\"WaitSeconds\\\": 200}}\", \"ChainedInvokeOptions\": {\"FunctionName\": \"arn:aws:lambda:us-east-1:000000000000:function:flow:$LATEST\"}}","Truncated":false},"ExecutionTimeout":600},"operation_id":"358384d7-1302-463f-8058-d9f0280daf2a","name":"calls"}');
INSERT INTO "lambda_durable_event" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf',1,'{"id":1,"type":"ExecutionStarted","at_ms":1795286903157,"details":{"Input":{"Payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"WaitOptions\": {\"WaitSeconds\": 1}}","Truncated":false},"ExecutionTimeout":600},"operation_id":"b89231bf-cab1-488c-b4de-b46f5eaaa0cf","name":"ended"}');
INSERT INTO "lambda_durable_event" VALUES('cd8768ef-ef47-48b3-8654-4bdcc08116af',2,'{"id":2,"type":"CallbackStarted","at_ms":1795286905510,"details":{"CallbackId":"WyJjZDg3NjhlZi1lZjQ3LTQ4YjMtODY1NC00YmRjYzA4MTE2YWYiLCJjIiwiYmUzYjQ1MDYtYzRjMy00ODUyLTkyZWEtN2Y1MWU0MzhkYmRmIl0=","Timeout":500},"operation_id":"c","name":"answer"}');
INSERT INTO "lambda_durable_event" VALUES('6df3ee65-16c1-4256-b339-0180fcd69fe8',2,'{"id":2,"type":"WaitStarted","at_ms":1795286905550,"details":{"Duration":300,"ScheduledEndTimestamp":1795287205550},"operation_id":"w","name":"later"}');
INSERT INTO "lambda_durable_event" VALUES('cd8768ef-ef47-48b3-8654-4bdcc08116af',3,'{"id":3,"type":"InvocationCompleted","at_ms":1795286905571,"details":{"StartTimestamp":1795286903083,"EndTimestamp":1795286905571,"RequestId":"aa30286f-fd17-4a31-84e4-b730903040de"}}');
INSERT INTO "lambda_durable_event" VALUES('d2d52af2-ebef-4518-9766-15da1adcc6bc',1,'{"id":1,"type":"ExecutionStarted","at_ms":1795286905578,"details":{"Input":{"Payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"WaitOptions\": {\"WaitSeconds\": 200}}","Truncated":false},"ExecutionTimeout":600},"operation_id":"d2d52af2-ebef-4518-9766-15da1adcc6bc","name":"99febfdc-ef24-4469-a116-f14f02451a6b"}');
INSERT INTO "lambda_durable_event" VALUES('358384d7-1302-463f-8058-d9f0280daf2a',2,'{"id":2,"type":"ChainedInvokeStarted","at_ms":1795286905578,"details":{"FunctionName":"arn:aws:lambda:us-east-1:000000000000:function:flow:$LATEST","Input":{"Payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"WaitOptions\": {\"WaitSeconds\": 200}}","Truncated":false},"ExecutedVersion":"$LATEST","DurableExecutionArn":"arn:aws:lambda:us-east-1:000000000000:function:flow:$LATEST/durable-execution/99febfdc-ef24-4469-a116-f14f02451a6b/d2d52af2-ebef-4518-9766-15da1adcc6bc"},"operation_id":"f","name":"child"}');
INSERT INTO "lambda_durable_event" VALUES('6df3ee65-16c1-4256-b339-0180fcd69fe8',3,'{"id":3,"type":"InvocationCompleted","at_ms":1795286905604,"details":{"StartTimestamp":1795286903139,"EndTimestamp":1795286905604,"RequestId":"1ec91ec1-bad5-4c90-a63a-9263906fb7c7"}}');
INSERT INTO "lambda_durable_event" VALUES('358384d7-1302-463f-8058-d9f0280daf2a',3,'{"id":3,"type":"InvocationCompleted","at_ms":1795286905605,"details":{"StartTimestamp":1795286903176,"EndTimestamp":1795286905605,"RequestId":"0226f980-64ab-470f-869e-d8634f3c930b"}}');
INSERT INTO "lambda_durable_event" VALUES('d2d52af2-ebef-4518-9766-15da1adcc6bc',2,'{"id":2,"type":"WaitStarted","at_ms":1795286905634,"details":{"Duration":200,"ScheduledEndTimestamp":1795287105634},"operation_id":"w"}');
INSERT INTO "lambda_durable_event" VALUES('d2d52af2-ebef-4518-9766-15da1adcc6bc',3,'{"id":3,"type":"InvocationCompleted","at_ms":1795286905638,"details":{"StartTimestamp":1795286905581,"EndTimestamp":1795286905638,"RequestId":"ffb53844-8505-4888-a8e3-1df5a32e88bc"}}');
INSERT INTO "lambda_durable_event" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf',2,'{"id":2,"type":"WaitStarted","at_ms":1795286905660,"details":{"Duration":1,"ScheduledEndTimestamp":1795286906660},"operation_id":"w"}');
INSERT INTO "lambda_durable_event" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf',3,'{"id":3,"type":"InvocationCompleted","at_ms":1795286905664,"details":{"StartTimestamp":1795286903190,"EndTimestamp":1795286905664,"RequestId":"0de1814a-0cee-47f0-952e-e09729cf47c5"}}');
INSERT INTO "lambda_durable_event" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf',4,'{"id":4,"type":"WaitSucceeded","at_ms":1795286906661,"details":{"Duration":1},"operation_id":"w"}');
INSERT INTO "lambda_durable_event" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf',5,'{"id":5,"type":"InvocationCompleted","at_ms":1795286906675,"details":{"StartTimestamp":1795286906672,"EndTimestamp":1795286906675,"RequestId":"63f24270-d147-4fd5-8918-6a54b9f8063c"}}');
INSERT INTO "lambda_durable_event" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf',6,'{"id":6,"type":"ExecutionSucceeded","at_ms":1795286906675,"details":{"Result":{"Payload":"1","Truncated":false}},"operation_id":"b89231bf-cab1-488c-b4de-b46f5eaaa0cf","name":"ended"}');
INSERT INTO "lambda_durable_event" VALUES('8229adb8-3b74-486f-b4f6-9a8c0552ec00',1,'{"id":1,"type":"ExecutionStarted","at_ms":1795286906895,"details":{"Input":{"Payload":"\"runs\"","Truncated":false},"ExecutionTimeout":600},"operation_id":"8229adb8-3b74-486f-b4f6-9a8c0552ec00","name":"runs"}');
CREATE TABLE lambda_durable_execution (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    running INTEGER NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (account, region, function, name)
);
INSERT INTO "lambda_durable_execution" VALUES('cd8768ef-ef47-48b3-8654-4bdcc08116af','000000000000','us-east-1','flow','$LATEST','asks','RUNNING',1795286903075,1795287405510,0,'{"id":"cd8768ef-ef47-48b3-8654-4bdcc08116af","account":"000000000000","region":"us-east-1","function":"flow","version":"$LATEST","name":"asks","durability":{"timeout_s":600,"retention_days":1,"key_arn":null},"result_bytes":1048576,"started_ms":1795286903075,"deadline_ms":1795287503075,"ending":null,"ended_ms":null,"deleting":false,"invocation":null,"revoked":false,"wanted":false,"retry_ms":null,"failures":0,"idle":0,"throttles":0,"token":1,"changes":3,"seen":3,"tenant_id":null,"trace":"","operations":2,"events":3,"written":2,"pause":null,"request":null,"replay":null,"parent":null}');
INSERT INTO "lambda_durable_execution" VALUES('6df3ee65-16c1-4256-b339-0180fcd69fe8','000000000000','us-east-1','flow','$LATEST','waits','RUNNING',1795286903111,1795287205550,0,'{"id":"6df3ee65-16c1-4256-b339-0180fcd69fe8","account":"000000000000","region":"us-east-1","function":"flow","version":"$LATEST","name":"waits","durability":{"timeout_s":600,"retention_days":1,"key_arn":null},"result_bytes":1048576,"started_ms":1795286903111,"deadline_ms":1795287503111,"ending":null,"ended_ms":null,"deleting":false,"invocation":null,"revoked":false,"wanted":false,"retry_ms":null,"failures":0,"idle":0,"throttles":0,"token":1,"changes":2,"seen":2,"tenant_id":null,"trace":"","operations":2,"events":3,"written":2,"pause":null,"request":null,"replay":null,"parent":null}');
INSERT INTO "lambda_durable_execution" VALUES('358384d7-1302-463f-8058-d9f0280daf2a','000000000000','us-east-1','flow','$LATEST','calls','RUNNING',1795286903132,1795287503132,0,'{"id":"358384d7-1302-463f-8058-d9f0280daf2a","account":"000000000000","region":"us-east-1","function":"flow","version":"$LATEST","name":"calls","durability":{"timeout_s":600,"retention_days":1,"key_arn":null},"result_bytes":1048576,"started_ms":1795286903132,"deadline_ms":1795287503132,"ending":null,"ended_ms":null,"deleting":false,"invocation":null,"revoked":false,"wanted":false,"retry_ms":null,"failures":0,"idle":0,"throttles":0,"token":1,"changes":4,"seen":4,"tenant_id":null,"trace":"","operations":2,"events":3,"written":85,"pause":null,"request":null,"replay":null,"parent":null}');
INSERT INTO "lambda_durable_execution" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf','000000000000','us-east-1','flow','$LATEST','ended','SUCCEEDED',1795286903157,1795373306675,0,'{"id":"b89231bf-cab1-488c-b4de-b46f5eaaa0cf","account":"000000000000","region":"us-east-1","function":"flow","version":"$LATEST","name":"ended","durability":{"timeout_s":600,"retention_days":1,"key_arn":null},"result_bytes":1048576,"started_ms":1795286903157,"deadline_ms":1795287503157,"ending":"SUCCEEDED","ended_ms":1795286906675,"deleting":false,"invocation":null,"revoked":false,"wanted":false,"retry_ms":null,"failures":0,"idle":0,"throttles":0,"token":1,"changes":4,"seen":3,"tenant_id":null,"trace":"","operations":2,"events":6,"written":2,"pause":null,"request":null,"replay":null,"parent":null}');
INSERT INTO "lambda_durable_execution" VALUES('d2d52af2-ebef-4518-9766-15da1adcc6bc','000000000000','us-east-1','flow','$LATEST','99febfdc-ef24-4469-a116-f14f02451a6b','RUNNING',1795286905578,1795287105634,0,'{"id":"d2d52af2-ebef-4518-9766-15da1adcc6bc","account":"000000000000","region":"us-east-1","function":"flow","version":"$LATEST","name":"99febfdc-ef24-4469-a116-f14f02451a6b","durability":{"timeout_s":600,"retention_days":1,"key_arn":null},"result_bytes":1048576,"started_ms":1795286905578,"deadline_ms":1795287505578,"ending":null,"ended_ms":null,"deleting":false,"invocation":null,"revoked":false,"wanted":false,"retry_ms":null,"failures":0,"idle":0,"throttles":0,"token":1,"changes":2,"seen":2,"tenant_id":null,"trace":"","operations":2,"events":3,"written":2,"pause":null,"request":null,"replay":null,"parent":{"execution_id":"358384d7-1302-463f-8058-d9f0280daf2a","operation_id":"f"}}');
INSERT INTO "lambda_durable_execution" VALUES('8229adb8-3b74-486f-b4f6-9a8c0552ec00','000000000000','us-east-1','flow','$LATEST','runs','RUNNING',1795286906895,1795287506895,1,'{"id":"8229adb8-3b74-486f-b4f6-9a8c0552ec00","account":"000000000000","region":"us-east-1","function":"flow","version":"$LATEST","name":"runs","durability":{"timeout_s":600,"retention_days":1,"key_arn":null},"result_bytes":1048576,"started_ms":1795286906895,"deadline_ms":1795287506895,"ending":null,"ended_ms":null,"deleting":false,"invocation":"3400d6f5-8d8c-4861-8263-890fce118660","revoked":false,"wanted":false,"retry_ms":null,"failures":0,"idle":0,"throttles":0,"token":0,"changes":1,"seen":1,"tenant_id":null,"trace":"","operations":1,"events":1,"written":0,"pause":null,"request":null,"replay":null,"parent":null}');
CREATE TABLE lambda_durable_operation (
    execution TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT,
    ordinal INTEGER NOT NULL,
    change INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    running INTEGER NOT NULL,
    due_ms INTEGER,
    size INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (execution, id)
);
INSERT INTO "lambda_durable_operation" VALUES('cd8768ef-ef47-48b3-8654-4bdcc08116af','cd8768ef-ef47-48b3-8654-4bdcc08116af',NULL,1,1,0,0,0,NULL,292,'{"id":"cd8768ef-ef47-48b3-8654-4bdcc08116af","ordinal":1,"change":1,"type":"EXECUTION","status":"STARTED","started_ms":1795286903075,"name":"asks","payload":"{\"Id\": \"c\", \"Type\": \"CALLBACK\", \"Action\": \"START\", \"Name\": \"answer\", \"CallbackOptions\": {\"TimeoutSeconds\": 500}}"}');
INSERT INTO "lambda_durable_operation" VALUES('6df3ee65-16c1-4256-b339-0180fcd69fe8','6df3ee65-16c1-4256-b339-0180fcd69fe8',NULL,1,1,0,0,0,NULL,281,'{"id":"6df3ee65-16c1-4256-b339-0180fcd69fe8","ordinal":1,"change":1,"type":"EXECUTION","status":"STARTED","started_ms":1795286903111,"name":"waits","payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"Name\": \"later\", \"WaitOptions\": {\"WaitSeconds\": 300}}"}');
INSERT INTO "lambda_durable_operation" VALUES('358384d7-1302-463f-8058-d9f0280daf2a','358384d7-1302-463f-8058-d9f0280daf2a',NULL,1,1,0,0,0,NULL,511,'{"id":"358384d7-1302-463f-8058-d9f0280daf2a","ordinal":1,"change":1,"type":"EXECUTION","status":"STARTED","started_ms":1795286903132,"name":"calls","payload":"{\"Id\": \"f\", \"Type\": \"CHAINED_INVOKE\", \"Action\": \"START\", \"Name\": \"child\", \"Payload\": \"{\\\"Id\\\": \\\"w\\\", \\\"Type\\\": \\\"WAIT\\\", \\\"Action\\\": \\\"START\\\", \\\"WaitOptions\\\": {\\\"WaitSeconds\\\": 200}}\", \"ChainedInvokeOptions\": {\"FunctionName\": \"arn:aws:lambda:us-east-1:000000000000:function:flow:$LATEST\"}}"}');
INSERT INTO "lambda_durable_operation" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf','b89231bf-cab1-488c-b4de-b46f5eaaa0cf',NULL,1,4,0,0,0,NULL,298,'{"id":"b89231bf-cab1-488c-b4de-b46f5eaaa0cf","ordinal":1,"change":4,"type":"EXECUTION","status":"SUCCEEDED","started_ms":1795286903157,"ended_ms":1795286906675,"name":"ended","payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"WaitOptions\": {\"WaitSeconds\": 1}}","result":"1"}');
INSERT INTO "lambda_durable_operation" VALUES('cd8768ef-ef47-48b3-8654-4bdcc08116af','c',NULL,2,3,0,1,0,1795287405510,269,'{"id":"c","ordinal":2,"change":3,"type":"CALLBACK","status":"STARTED","started_ms":1795286905510,"name":"answer","callback_id":"WyJjZDg3NjhlZi1lZjQ3LTQ4YjMtODY1NC00YmRjYzA4MTE2YWYiLCJjIiwiYmUzYjQ1MDYtYzRjMy00ODUyLTkyZWEtN2Y1MWU0MzhkYmRmIl0=","timeout_ms":1795287405510}');
INSERT INTO "lambda_durable_operation" VALUES('6df3ee65-16c1-4256-b339-0180fcd69fe8','w',NULL,2,2,0,1,0,1795287205550,137,'{"id":"w","ordinal":2,"change":2,"type":"WAIT","status":"STARTED","started_ms":1795286905550,"name":"later","scheduled_ms":1795287205550}');
INSERT INTO "lambda_durable_operation" VALUES('d2d52af2-ebef-4518-9766-15da1adcc6bc','d2d52af2-ebef-4518-9766-15da1adcc6bc',NULL,1,1,0,0,0,NULL,291,'{"id":"d2d52af2-ebef-4518-9766-15da1adcc6bc","ordinal":1,"change":1,"type":"EXECUTION","status":"STARTED","started_ms":1795286905578,"name":"99febfdc-ef24-4469-a116-f14f02451a6b","payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"WaitOptions\": {\"WaitSeconds\": 200}}"}');
INSERT INTO "lambda_durable_operation" VALUES('358384d7-1302-463f-8058-d9f0280daf2a','f',NULL,2,4,0,1,0,NULL,318,'{"id":"f","ordinal":2,"change":4,"type":"CHAINED_INVOKE","status":"STARTED","started_ms":1795286905578,"name":"child","payload":"{\"Id\": \"w\", \"Type\": \"WAIT\", \"Action\": \"START\", \"WaitOptions\": {\"WaitSeconds\": 200}}","function":"flow","version":"$LATEST","child_id":"d2d52af2-ebef-4518-9766-15da1adcc6bc"}');
INSERT INTO "lambda_durable_operation" VALUES('d2d52af2-ebef-4518-9766-15da1adcc6bc','w',NULL,2,2,0,1,0,1795287105634,122,'{"id":"w","ordinal":2,"change":2,"type":"WAIT","status":"STARTED","started_ms":1795286905634,"scheduled_ms":1795287105634}');
INSERT INTO "lambda_durable_operation" VALUES('b89231bf-cab1-488c-b4de-b46f5eaaa0cf','w',NULL,2,3,0,0,0,NULL,149,'{"id":"w","ordinal":2,"change":3,"type":"WAIT","status":"SUCCEEDED","started_ms":1795286905660,"ended_ms":1795286906661,"scheduled_ms":1795286906660}');
INSERT INTO "lambda_durable_operation" VALUES('8229adb8-3b74-486f-b4f6-9a8c0552ec00','8229adb8-3b74-486f-b4f6-9a8c0552ec00',NULL,1,1,0,0,0,NULL,168,'{"id":"8229adb8-3b74-486f-b4f6-9a8c0552ec00","ordinal":1,"change":1,"type":"EXECUTION","status":"STARTED","started_ms":1795286906895,"name":"runs","payload":"\"runs\""}');
CREATE TABLE lambda_event_invoke (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);
INSERT INTO "lambda_event_invoke" VALUES('000000000000','us-east-1','echo','$LATEST','{"account":"000000000000","region":"us-east-1","function":"echo","qualifier":"$LATEST","retries":1,"age_s":null,"on_success":null,"on_failure":"arn:aws:sqs:us-east-1:000000000000:q","modified_ms":1795286902997}');
CREATE TABLE lambda_function (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    settled INTEGER NOT NULL,
    record TEXT NOT NULL, code_size INTEGER, provider TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account, region, name)
);
INSERT INTO "lambda_function" VALUES('000000000000','us-east-1','echo',1,'{"account":"000000000000","region":"us-east-1","name":"echo","configuration":{"revision":"395315c4-b1f7-4a3f-9384-635e8f39178e","code_sha256":"41d616c52f0695a9d4c4153187de91835beeb3fb49441bf4f880cd42c0d87f41","code_size":157,"runtime":"python3.11","handler":"index.handler","role":"arn:aws:iam::000000000000:role/test","logging":{"group":"/aws/lambda/echo","format":"Text","application_level":null,"system_level":null},"description":"","memory_mb":128,"timeout_s":3,"storage_mb":512,"variables":null,"architecture":"x86_64","tracing":"PassThrough","snap_start":"None","dead_letter_arn":null,"vpc":null,"file_systems":[],"key_arn":null,"image":null,"source":null,"source_key_arn":null,"layers":[{"arn":"arn:aws:lambda:us-east-1:000000000000:layer:shared:1","sha256":"bf1cfff7951ba1fe17c91656a2e3581b3996ecbe3557d62c73cc0fd900d4c580","size":141}],"tenancy":null,"durability":null,"instances":null},"serving":null,"state":"Active","update":"Successful","revision_id":"a118e036-8661-41a2-b6da-37cbca8bcbc5","modified_ms":1795286902741,"tags":{"a":"b"},"recursive_loop":"Terminate","runtime_updates":{"on":"Auto","version_arn":null},"last_version":1}',157,'');
INSERT INTO "lambda_function" VALUES('000000000000','us-east-1','flow',1,'{"account":"000000000000","region":"us-east-1","name":"flow","configuration":{"revision":"d2aa396d-7452-4df0-9634-6205f2c8edc8","code_sha256":"6dc2cf34c9a541e2c1f00ce1e36ab26f392772e062569f2c78a4fe796444a1d9","code_size":412,"runtime":"python3.11","handler":"index.handler","role":"arn:aws:iam::000000000000:role/test","logging":{"group":"/aws/lambda/flow","format":"Text","application_level":null,"system_level":null},"description":"","memory_mb":128,"timeout_s":60,"storage_mb":512,"variables":{"AWS_MAX_ATTEMPTS":"1"},"architecture":"x86_64","tracing":"PassThrough","snap_start":"None","dead_letter_arn":null,"vpc":null,"file_systems":[],"key_arn":null,"image":null,"source":null,"source_key_arn":null,"layers":[],"tenancy":null,"durability":{"timeout_s":600,"retention_days":1,"key_arn":null},"instances":null},"serving":null,"state":"Active","update":"Successful","revision_id":"b7f98b7d-d11a-45dd-9afd-283490ac4e6d","modified_ms":1795286902766,"tags":{},"recursive_loop":"Terminate","runtime_updates":{"on":"Auto","version_arn":null},"last_version":0}',412,'');
CREATE TABLE lambda_function_scaling (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, number)
);
CREATE TABLE lambda_function_signing (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (account, region, function)
);
CREATE TABLE lambda_layer (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    last_version INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
);
INSERT INTO "lambda_layer" VALUES('000000000000','us-east-1','shared',1);
CREATE TABLE lambda_layer_policy (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    revision_id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name, number)
);
CREATE TABLE lambda_layer_version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL, code_size INTEGER,
    PRIMARY KEY (account, region, name, number)
);
INSERT INTO "lambda_layer_version" VALUES('000000000000','us-east-1','shared',1,'{"account":"000000000000","region":"us-east-1","name":"shared","number":1,"sha256":"bf1cfff7951ba1fe17c91656a2e3581b3996ecbe3557d62c73cc0fd900d4c580","size":141,"created_ms":1795286902469,"description":"","license":null,"runtimes":null,"architectures":null}',141);
CREATE TABLE lambda_mapping (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    uuid TEXT NOT NULL,
    function TEXT NOT NULL,
    source TEXT NOT NULL,
    settled INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, uuid)
);
INSERT INTO "lambda_mapping" VALUES('000000000000','us-east-1','e264419c-cefd-43fb-b375-3ac91ef7ba6b','arn:aws:lambda:us-east-1:000000000000:function:echo','arn:aws:sqs:us-east-1:000000000000:q',1,'{"account":"000000000000","region":"us-east-1","uuid":"e264419c-cefd-43fb-b375-3ac91ef7ba6b","kind":"sqs","function":"echo","qualifier":null,"source":"arn:aws:sqs:us-east-1:000000000000:q","settings":{"BatchSize":5,"FunctionResponseTypes":[],"MaximumBatchingWindowInSeconds":0},"enabled":true,"state":"Enabled","modified_ms":1795286903044,"tags":{}}');
CREATE TABLE lambda_policy (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);
CREATE TABLE lambda_provision (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    requested INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);
CREATE TABLE lambda_reservation (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    executions INTEGER NOT NULL,
    PRIMARY KEY (account, region, function)
);
INSERT INTO "lambda_reservation" VALUES('000000000000','us-east-1','echo',3);
CREATE TABLE lambda_signing (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);
CREATE TABLE lambda_url (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    record TEXT NOT NULL,
    PRIMARY KEY (account, region, function, qualifier)
);
INSERT INTO "lambda_url" VALUES('000000000000','us-east-1','echo','$LATEST','m2vpdkpb953ulbt0x4cpa1mc3hzmmgis','{"account":"000000000000","region":"us-east-1","function":"echo","qualifier":"$LATEST","name":"m2vpdkpb953ulbt0x4cpa1mc3hzmmgis","auth_type":"NONE","invoke_mode":null,"cors":null,"created_us":1795286902987931,"modified_us":1795286902987931}');
CREATE TABLE lambda_version (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    record TEXT NOT NULL, code_size INTEGER, provider TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account, region, name, number)
);
INSERT INTO "lambda_version" VALUES('000000000000','us-east-1','echo',1,0,'{"account":"000000000000","region":"us-east-1","name":"echo","number":1,"configuration":{"revision":"2652864f-f6af-4e25-a0af-803de5a6ce98","code_sha256":"41d616c52f0695a9d4c4153187de91835beeb3fb49441bf4f880cd42c0d87f41","code_size":157,"runtime":"python3.11","handler":"index.handler","role":"arn:aws:iam::000000000000:role/test","logging":{"group":"/aws/lambda/echo","format":"Text","application_level":null,"system_level":null},"description":"","memory_mb":128,"timeout_s":3,"storage_mb":512,"variables":null,"architecture":"x86_64","tracing":"PassThrough","snap_start":"None","dead_letter_arn":null,"vpc":null,"file_systems":[],"key_arn":null,"image":null,"source":null,"source_key_arn":null,"layers":[{"arn":"arn:aws:lambda:us-east-1:000000000000:layer:shared:1","sha256":"bf1cfff7951ba1fe17c91656a2e3581b3996ecbe3557d62c73cc0fd900d4c580","size":141}],"tenancy":null,"durability":null,"instances":null},"source_description":"","state":"Active","state_reason":null,"state_reason_code":null,"runtime_updates":{"on":"Auto","version_arn":null},"revision_id":"a8902630-9f81-4ffd-8f79-4b00e0a90c25","modified_ms":1795286902741}',157,'');
CREATE TABLE logs_chunk (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    first_event_ms INTEGER NOT NULL,
    last_event_ms INTEGER NOT NULL,
    ingested_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL
);
INSERT INTO "logs_chunk" VALUES(3,1,2,1795286904298,1795286904298,1795286904402,189,X'009291CF000001A1FF702DEA91D9A3494E49545F53544152542052756E74696D652056657273696F6E3A20707974686F6E3A332E31312E76320952756E74696D652056657273696F6E2041524E3A2061726E3A6177733A6C616D6264613A75732D656173742D313A3A72756E74696D653A373265373864646163303831383734343861383136663336383862316232373730306230306638383264333465363032316163646264626534633534303038620A');
INSERT INTO "logs_chunk" VALUES(5,1,4,1795286904310,1795286904310,1795286904402,189,X'009291CF000001A1FF702DF691D9A3494E49545F53544152542052756E74696D652056657273696F6E3A20707974686F6E3A332E31312E76320952756E74696D652056657273696F6E2041524E3A2061726E3A6177733A6C616D6264613A75732D656173742D313A3A72756E74696D653A373265373864646163303831383734343861383136663336383862316232373730306230306638383264333465363032316163646264626534633534303038620A');
INSERT INTO "logs_chunk" VALUES(7,1,6,1795286904325,1795286904325,1795286904402,189,X'009291CF000001A1FF702E0591D9A3494E49545F53544152542052756E74696D652056657273696F6E3A20707974686F6E3A332E31312E76320952756E74696D652056657273696F6E2041524E3A2061726E3A6177733A6C616D6264613A75732D656173742D313A3A72756E74696D653A373265373864646163303831383734343861383136663336383862316232373730306230306638383264333465363032316163646264626534633534303038620A');
INSERT INTO "logs_chunk" VALUES(9,1,8,1795286904332,1795286904332,1795286904402,189,X'009291CF000001A1FF702E0C91D9A3494E49545F53544152542052756E74696D652056657273696F6E3A20707974686F6E3A332E31312E76320952756E74696D652056657273696F6E2041524E3A2061726E3A6177733A6C616D6264613A75732D656173742D313A3A72756E74696D653A373265373864646163303831383734343861383136663336383862316232373730306230306638383264333465363032316163646264626534633534303038620A');
INSERT INTO "logs_chunk" VALUES(10,1,2,1795286904352,1795286905638,1795286905675,712,X'0178019590BF4E835014C6EB084F7107E376C9FD0B47B63625A689A801EC7E914342D23F0A3451DFC1C5A1BBA34FE3CCECEC33A834A4216907BA7DF94ECE77CEF77BDF7E8D46671FBF8F0EE984F83E103F9D232FF662DB5CC5C9384A48844F1BACEA59E613632413E0E634CFB84795919C824245534FB24B2699621992399655B15EF9E4FC7A9C047162372AB8999E1A63379F5170777BFA7D6BBA294DBD7B800B0E8ECBC9B2B226C5628119E9CF3CD90E425CAECB171217AFE8132E8084132B34CFA4F3EF2BFCEFAD546BCF5645DD4BD0D2F1A08DB08F90CAF3544B508A82669A2A00A00650529EE5DA488100E9C300524362ECE6ED90D490C51E29ED39C23DCA49EF2A0EA3A45B4AF61F1F00BD85');
INSERT INTO "logs_chunk" VALUES(11,1,6,1795286904355,1795286905604,1795286905675,370,X'0178019B34F93C0303E3C2FF057ACA5086310B9C31F9A67B708863508842506A61696A7189678A9582616AB225101BEA2625A698EA9A245B1AE8269A1927EA5A1A99195B1A98A52599279B2B84A5161567E6E75929A8F83886B8068770DD3471F57321D518AE9B2B835C03FC49B79FD3A5B428B104EC004323130B3D330B85DC624EA7CC9C9CD414056439734B90846F6A6E7E51A5427066552AD07F46160ABE4E9CBE89150A50F1D0E254A0BF4D4C40C29E79992548261859EA991A828CE00200F7C263BC');
INSERT INTO "logs_chunk" VALUES(12,1,8,1795286904366,1795286905605,1795286905675,370,X'0178019B34F93C0303E3C2FF057A7A5086312B9C31F9A67B708863508842506A61696A7189678A9582819191599AA58581AE99496292AE89B9419AAE859965AA6E8A8599B1499A71B2A5B1419242586A5171667E9E95828A8F63886B7008D74D13573F17528DE1BAB932C835C09F74FB395D4A8B124BC00E303432B6D433B350C82DE674CACCC9494D51409633370649F8A6E6E617552A046756A55A29181A5928F83A71FA26562840C5438B5381FE363101097BE665962099606CAC67680A32820B00523861AB');
INSERT INTO "logs_chunk" VALUES(13,1,4,1795286904384,1795286905664,1795286905675,370,X'0178019B34F93C0303E3C2FF057A0E5086318231F9A67B708863508842506A61696A7189678A9582414AAAA185A149A2AE41726AAAAE89799A81AEA5A951AA6EAA81A5B99165729A8979B2A942586A5171667E9E95828A8F63886B7008D74D13573F17528DE1BAB932C835C09F74FB395D4A8B124BC00E3034B230D0333154C82DE674CACCC9494D5140923336350549F8A6E6E617552A046756A55A29003528F83A71FA26562840C5438B5381FE363101097BE665962099606EAC67690632820B003C5263CF');
INSERT INTO "logs_chunk" VALUES(14,1,4,1795286906672,1795286906675,1795286906779,340,X'0178019B34F93C0303E3C2FF05E6063086319C31F9A67B708863508842506A61696A7189678A958299719A918991B9816E8AA189B9AE495A8AA9AE85A5A185AE59A2A94992659A85819971B242586A5171667E9E95828A8F63886B7008D74D13573F17528DE1BAD91DE41AE04FBAFD9C2EA5458925600718E959182AE416733A65E6E4A4A62820248C41A2BEA9B9F945950AC19955A9560A8646160ABE4E9CBE89150A50F1D0E254A08F4D4C40C25C0084E058DF');
CREATE TABLE logs_counter (
    value INTEGER NOT NULL
);
INSERT INTO "logs_counter" VALUES(14);
CREATE TABLE logs_deleted (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL
);
CREATE TABLE logs_group (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    retention INTEGER,
    size INTEGER NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (account, region, name)
);
INSERT INTO "logs_group" VALUES(1,'000000000000','us-east-1','/aws/lambda/flow',1795286904402,NULL,2918,'{"log_group_class":"STANDARD","kms_key_id":null,"deletion_protection":false,"tags":{}}');
CREATE TABLE logs_stream (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    last_event_ms INTEGER NOT NULL,
    first_event_ms INTEGER,
    last_ingestion_ms INTEGER,
    last_chunk INTEGER,
    UNIQUE (group_id, name)
);
INSERT INTO "logs_stream" VALUES(2,1,'2026/11/21/[$LATEST]7c3935d39fdfea934529c7751a727fd8',1795286904402,901,1795286905638,1795286904298,1795286905675,10);
INSERT INTO "logs_stream" VALUES(4,1,'2026/11/21/[$LATEST]9a0ff6aca7d38f15c81a86ed994c7891',1795286904402,899,1795286906675,1795286904310,1795286906779,14);
INSERT INTO "logs_stream" VALUES(6,1,'2026/11/21/[$LATEST]13292b92c8f6cd9eb401db2268763a06',1795286904402,559,1795286905604,1795286904325,1795286905675,11);
INSERT INTO "logs_stream" VALUES(8,1,'2026/11/21/[$LATEST]d2a8df54df582337a03f4297537aee57',1795286904402,559,1795286905605,1795286904332,1795286905675,12);
CREATE TABLE migrations (
        service TEXT NOT NULL,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (service, number)
    );
INSERT INTO "migrations" VALUES('store',1,'outbox_and_keys','01478f4518c7f17fbfa0c982969b7e2baece95875a6e513d320b4eb83a9ef728');
INSERT INTO "migrations" VALUES('iam',1,'roles_and_policies','5d229c8c27f4f6cf2f6127b330687b52a6bc15d3dc3b6baa4fa6fff53e949ff3');
INSERT INTO "migrations" VALUES('lambda_',1,'functions','8a0a4f048ab5653044a06764530d70352f9ef66e3dfb0ff43fde2b00f41552eb');
INSERT INTO "migrations" VALUES('lambda_',2,'versions_and_layers','1c618b87147e0318fdb6435108990c3fd4ad0d70d0c6f3002980a9fa7dca270f');
INSERT INTO "migrations" VALUES('lambda_',3,'function_urls','c0ef866c40e8c19e080a6d3da6f392f089969765288d92f7f130ce4551464d52');
INSERT INTO "migrations" VALUES('lambda_',4,'policies_and_signing','9ecbec838b230beb5ebf99cc91b9c8d43d449d97550a569c1db50f400ab47dd3');
INSERT INTO "migrations" VALUES('lambda_',5,'mappings_and_event_invoke','51f2d758add889ce488a7229518e8d4ff8bad245e62c2791d5fdbf4b716ef474');
INSERT INTO "migrations" VALUES('lambda_',6,'durable_executions','05558d850c6e5df2751fc61de8b18e21cca5582258a2859a47917508d3165fbd');
INSERT INTO "migrations" VALUES('lambda_',7,'code_sizes','5efa395173bea67a91d33f202cdca6b7ca0b1a7020769d6e78147bb1a3ea5e25');
INSERT INTO "migrations" VALUES('lambda_',8,'capacity_providers','73f4efdafd979b27c6de1fb32e67758151100e428e4645d58f437faf391373b6');
INSERT INTO "migrations" VALUES('lambda_',9,'empty_vpcs','4103ac154c1e9548b3d87b5f3e0d178d15833826ba76203a8998253fd7427ddc');
INSERT INTO "migrations" VALUES('logs',1,'groups_streams_chunks','938e28c05fb747c14dc5f95f851e98854217cf5bd216f0eb6786bbb017ca7983');
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    event BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "outbox" VALUES(2,'arn:aws:lambda:us-east-1:000000000000:function:echo',X'7B226E223A327D',0);
CREATE TABLE secret_keys (
    name TEXT PRIMARY KEY,
    secret BLOB NOT NULL
);
CREATE INDEX outbox_by_target ON outbox (target, id);
CREATE INDEX iam_role_by_boundary ON iam_role (account, boundary);
CREATE INDEX iam_attachment_by_policy ON iam_attachment (account, policy_arn);
CREATE INDEX lambda_function_unsettled ON lambda_function (settled) WHERE settled = 0;
CREATE INDEX lambda_version_pending ON lambda_version (pending) WHERE pending = 1;
CREATE INDEX lambda_function_signing_users ON lambda_function_signing (account, region, id, function);
CREATE INDEX lambda_mapping_by_function ON lambda_mapping (account, region, function, uuid);
CREATE INDEX lambda_mapping_unsettled ON lambda_mapping (settled) WHERE settled = 0;
CREATE INDEX lambda_durable_execution_due ON lambda_durable_execution (due_ms);
CREATE INDEX lambda_durable_execution_started ON lambda_durable_execution (account, region, function, started_ms, id);
CREATE INDEX lambda_durable_execution_running ON lambda_durable_execution (running) WHERE running = 1;
CREATE INDEX lambda_durable_operation_order ON lambda_durable_operation (execution, ordinal);
CREATE INDEX lambda_durable_operation_parent ON lambda_durable_operation (execution, parent);
CREATE INDEX lambda_durable_operation_waiting ON lambda_durable_operation (execution, due_ms) WHERE waiting = 1;
CREATE INDEX lambda_durable_operation_running ON lambda_durable_operation (running) WHERE running = 1;
CREATE INDEX lambda_function_code_size ON lambda_function (account, region, code_size);
CREATE INDEX lambda_version_code_size ON lambda_version (account, region, code_size);
CREATE INDEX lambda_layer_version_code_size ON lambda_layer_version (account, region, code_size);
CREATE INDEX lambda_capacity_provider_unsettled ON lambda_capacity_provider (state)
    WHERE state IN ('Pending', 'Deleting');
CREATE INDEX lambda_function_provider ON lambda_function (provider, name) WHERE provider <> '';
CREATE INDEX lambda_version_provider ON lambda_version (provider, name, number) WHERE provider <> '';
CREATE INDEX logs_stream_by_time ON logs_stream (group_id, last_event_ms, name);
CREATE INDEX logs_chunk_of_group_up ON logs_chunk (group_id, first_event_ms, id);
CREATE INDEX logs_chunk_of_group_down ON logs_chunk (group_id, last_event_ms, id);
CREATE INDEX logs_chunk_of_stream_up ON logs_chunk (stream_id, first_event_ms, id);
CREATE INDEX logs_chunk_of_stream_down ON logs_chunk (stream_id, last_event_ms, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',2);
COMMIT;
