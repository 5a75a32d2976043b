import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { App, Duration, SecretValue, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { Callboard, CallboardProps, TEMPLATE, valuesOf } from '../lib/callboard';
import { parametersOf } from '../lib/parameters';

const SNAPSHOT = resolve(__dirname, '../../test/snapshot.json');
const FUNCTIONS = [...readFileSync(TEMPLATE, 'utf8').matchAll(/Binary: ([a-z-]+)/g)].map((it) => it[1]!);
const MAIL = { from: 'desk@clinic.example', identity: 'clinic.example' };

/** Stands for what `cargo lambda build` makes. */
const built = mkdtempSync(join(tmpdir(), 'callboard-cdk-'));
for (const name of FUNCTIONS) {
  mkdirSync(join(built, name));
  writeFileSync(join(built, name, 'bootstrap'), name);
}
after(() => rmSync(built, { recursive: true }));

function synthesized(props: Partial<CallboardProps> = {}): Template {
  const stack = new Stack(new App(), 'clinic');
  new Callboard(stack, 'Callboard', { mail: MAIL, functions: built, ...props });
  return Template.fromStack(stack);
}

type Resource = { Type: string; Properties?: Record<string, unknown> };
const resourcesOf = (template: Template): [string, Resource][] =>
  Object.entries(template.toJSON().Resources as Record<string, Resource>);

test('every parameter of the template has a property, and no property is without one', () => {
  const declared = Object.keys(parametersOf(TEMPLATE)).sort();
  assert.deepEqual(Object.keys(valuesOf({ mail: MAIL })).sort(), declared);
});

test('the synthesized stack is the one that was reviewed', () => {
  const text = `${JSON.stringify(synthesized().toJSON(), null, 1)}\n`;
  if (process.env.UPDATE_SNAPSHOT === '1') writeFileSync(SNAPSHOT, text);
  const hint = 'the stack has changed: look at it, then UPDATE_SNAPSHOT=1 npm test';
  assert.equal(text, readFileSync(SNAPSHOT, 'utf8'), hint);
});

test('all resources of the template are there, and nothing else', () => {
  const lines = readFileSync(TEMPLATE, 'utf8').split('\n');
  const types = lines.flatMap((line) => /^ {4}Type: (AWS::\S+)$/.exec(line)?.[1] ?? []);
  const found = resourcesOf(synthesized()).map(([, resource]) => resource.Type);
  assert.deepEqual(found.sort(), types.sort());
});

test('the code of every function is an asset of its own', () => {
  const functions = resourcesOf(synthesized()).filter(([, it]) => it.Type === 'AWS::Serverless::Function');
  const keys = functions.map(([, it]) => (it.Properties?.CodeUri as { Key?: string }).Key);
  assert.equal(functions.length, FUNCTIONS.length);
  assert.equal(new Set(keys).size, FUNCTIONS.length);
  assert.ok(keys.every((key) => key?.endsWith('.zip')), String(keys));
});

test('no physical name is fixed, so that several stacks live in one account', () => {
  const named = resourcesOf(synthesized()).filter(([, it]) =>
    ['TableName', 'QueueName', 'TopicName', 'FunctionName', 'RoleName', 'LogGroupName', 'AlarmName']
      .filter((name) => it.Type !== 'AWS::Lambda::Permission' || name !== 'FunctionName')
      .some((name) => it.Properties && name in it.Properties),
  );
  assert.deepEqual(named, []);
});

test('two stacks of one app do not collide, and each has its own parameters', () => {
  const app = new App();
  const stacks = (['prod', 'dev'] as const).map((stage) => {
    const stack = new Stack(app, stage);
    new Callboard(stack, 'Callboard', { mail: MAIL, functions: built, stage });
    return stack;
  });
  const texts = stacks.map((stack) => JSON.stringify(Template.fromStack(stack).toJSON()));
  assert.ok(texts[0]?.includes('{"Fn::Equals":["prod","prod"]}'));
  assert.ok(texts[1]?.includes('{"Fn::Equals":["dev","prod"]}'));
});

test('logical ids are those of SAM where they are to be kept', () => {
  const ids = resourcesOf(synthesized({ preserveLogicalIds: true })).map(([id]) => id);
  assert.ok(ids.includes('JournalTable') && ids.includes('EmailSenderFunction'));
});

test('properties reach the functions', () => {
  const template = synthesized({
    architecture: Architecture.X86_64,
    offerWindow: Duration.minutes(10),
    clinicTimeZone: 'Europe/Berlin',
    linkKeys: SecretValue.secretsManager('links'),
    authorizer: { kind: 'jwt', issuer: 'https://id.clinic.example', audience: ['desk', 'app'] },
  });
  const text = JSON.stringify(template.toJSON());
  assert.ok(text.includes('"OFFER_WINDOW_SECONDS":"600"'));
  assert.equal(text.match(/"CLINIC_TIME_ZONE":"Europe\/Berlin"/g)?.length, 4, 'pages of both APIs, mails, and slots of a calendar');
  assert.ok(text.includes('"Architectures":["x86_64"]'));
  assert.ok(text.includes('{{resolve:secretsmanager:links:SecretString:::}}'));
  template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
    JwtConfiguration: { Issuer: 'https://id.clinic.example', Audience: ['desk', 'app'] },
  });
});

test('a password for mail comes from a secret, and no other way', () => {
  const mail = (transport: string | SecretValue): Partial<CallboardProps> => ({ mail: { ...MAIL, transport } });
  const template = synthesized(mail(SecretValue.secretsManager('callboard/smtp')));
  template.hasResourceProperties('AWS::Serverless::Function', {
    Environment: { Variables: { MAIL_TRANSPORT: '{{resolve:secretsmanager:callboard/smtp:SecretString:::}}' } },
  });
  assert.throws(
    () => synthesized(mail('smtps://user:hunter2@mail.clinic.example')),
    (error: Error) => /MailTransport is not allowed/.test(error.message) && !error.message.includes('hunter2'),
  );
});

test('a topic is there to subscribe to', () => {
  const stack = new Stack(new App(), 'clinic');
  const callboard = new Callboard(stack, 'Callboard', {
    mail: MAIL,
    functions: built,
    alarmTopic: new Topic(stack, 'Alarms'),
  });
  const queue = new Queue(stack, 'Bookings', { fifo: true });
  callboard.waitlistEvents.addSubscription(new SqsSubscription(queue, { rawMessageDelivery: true }));
  Template.fromStack(stack).resourceCountIs('AWS::SNS::Subscription', 8);
});

test('a value that the template does not allow is refused by name', () => {
  const refused = (props: Partial<CallboardProps>, what: RegExp): void =>
    assert.throws(() => synthesized(props), what);
  refused({ workerConcurrency: 1 }, /WorkerConcurrency "1" is not allowed: expected a whole number from 2 to 1000/);
  refused({ mail: { ...MAIL, from: 'Desk <desk@clinic.example>' } }, /MailFrom .* expected a plain address/);
  refused({ publicUrl: 'https://clinic.example/' }, /PublicUrl/);
  refused({ authorizer: { kind: 'jwt', issuer: '' } }, /needs an issuer/);
  refused({ reservedConcurrencyCommandApi: 0 }, /reservedConcurrencyCommandApi 0 would turn the function off/);
  refused({ functions: join(built, 'nowhere') }, /has no bootstrap; run: cargo lambda build --release/);
});
