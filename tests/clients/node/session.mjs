// Drives a server with the Node.js SDK and prints what it saw as JSON; the endpoint comes from the environment.
import { readFileSync } from "node:fs";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { CreateRoleCommand, GetRoleCommand, IAMClient, NoSuchEntityException } from "@aws-sdk/client-iam";
import {
  CreateFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ResourceConflictException,
  ResourceNotFoundException,
  waitUntilFunctionActiveV2,
} from "@aws-sdk/client-lambda";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const [archive, runtime] = process.argv.slice(2);
const seen = {};
const functions = new LambdaClient({});
const create = new CreateFunctionCommand({
  FunctionName: "from-node",
  Runtime: runtime,
  Role: "arn:aws:iam::000000000000:role/from-node",
  Handler: "app.handler",
  Code: { ZipFile: readFileSync(archive) },
});
seen.state = (await functions.send(create)).State;
await waitUntilFunctionActiveV2({ client: functions, maxWaitTime: 20, minDelay: 1 }, { FunctionName: "from-node" });

const answer = await functions.send(
  new InvokeCommand({ FunctionName: "from-node", Payload: JSON.stringify({ name: "Zoë" }), LogType: "Tail" }),
);
seen.payload = JSON.parse(answer.Payload.transformToString());
seen.executedVersion = answer.ExecutedVersion;
seen.tail = Buffer.from(answer.LogResult, "base64").toString();

const raised = await functions.send(new InvokeCommand({ FunctionName: "from-node", Payload: '{"fail":true}' }));
seen.functionError = raised.FunctionError;
seen.errorType = JSON.parse(raised.Payload.transformToString()).errorType;

seen.duplicate = await functions.send(create).catch((error) => error instanceof ResourceConflictException);
const missing = await functions.send(new GetFunctionCommand({ FunctionName: "nobody" })).catch((error) => error);
seen.missing = missing instanceof ResourceNotFoundException;
seen.missingMessage = missing.message;
seen.missingType = missing.Type;
seen.missingStatus = missing.$metadata.httpStatusCode;

const logs = await new CloudWatchLogsClient({}).send(
  new FilterLogEventsCommand({ logGroupName: "/aws/lambda/from-node" }),
);
seen.logged = logs.events.map((event) => event.message);

seen.account = (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Account;
const iam = new IAMClient({});
const lambda = { Service: "lambda.amazonaws.com" };
const statement = { Effect: "Allow", Principal: lambda, Action: "sts:AssumeRole" };
const trust = { Version: "2012-10-17", Statement: [statement] };
const { Role } = await iam.send(
  new CreateRoleCommand({ RoleName: "node", AssumeRolePolicyDocument: JSON.stringify(trust) }),
);
seen.noRole = await iam.send(new GetRoleCommand({ RoleName: "nobody" })).catch((e) => e instanceof NoSuchEntityException);
const { Credentials } = await new STSClient({}).send(
  new AssumeRoleCommand({ RoleArn: Role.Arn, RoleSessionName: "session" }),
);
const assumed = new STSClient({
  credentials: {
    accessKeyId: Credentials.AccessKeyId,
    secretAccessKey: Credentials.SecretAccessKey,
    sessionToken: Credentials.SessionToken,
  },
});
seen.assumed = (await assumed.send(new GetCallerIdentityCommand({}))).Arn;
console.log(JSON.stringify(seen));
