/** Callboard as a construct. The topology is infra/template.yaml's; nothing of it is said again here. */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CfnRule, Duration, SecretValue, Token } from 'aws-cdk-lib';
import { ITable, Table } from 'aws-cdk-lib/aws-dynamodb';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnFunction } from 'aws-cdk-lib/aws-sam';
import { ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged';
import { parametersOf, settle } from './parameters';

/** Where `cargo lambda build` leaves the functions, seen from dist/lib and from lib. */
const ROOT = existsSync(join(__dirname, '../../template.yaml'))
  ? resolve(__dirname, '../../..')
  : resolve(__dirname, '../../../..');

/** The template that is deployed. */
export const TEMPLATE = join(ROOT, 'infra/template.yaml');

/** Who may call the HTTP API under /v1. */
export type Authorizer =
  | { readonly kind: 'iam' }
  | { readonly kind: 'jwt'; readonly issuer: string; readonly audience?: readonly string[] };

/** How e-mail leaves. */
export interface MailProps {
  /** Sender of every e-mail: a plain address. */
  readonly from: string;
  /** The verified SES identity (a domain or an address) that `from` belongs to. */
  readonly identity: string;
  /**
   * `ses`, `smtps://HOST:PORT`, or a secret that holds `smtps://USER:PASSWORD@HOST:PORT`.
   * @default ses
   */
  readonly transport?: string | SecretValue;
}

/** What a Callboard is made with. What is left out has the template's default. */
export interface CallboardProps {
  readonly mail: MailProps;
  /** In prod the tables are protected against deletion. @default dev */
  readonly stage?: 'dev' | 'staging' | 'prod';
  /** What `cargo lambda build` was told to build for. @default arm64 */
  readonly architecture?: Architecture;
  /** The directory with one directory per function, each with its `bootstrap`. @default target/lambda of the repository */
  readonly functions?: string;
  /** @default IAM */
  readonly authorizer?: Authorizer;
  /** Base of the links in e-mails, without a slash at the end. @default the HTTP API's own address */
  readonly publicUrl?: string;
  /** Keys that sign links, `ID:KEY,…`. @default one generated into a secret of the stack */
  readonly linkKeys?: SecretValue;
  /** @default info */
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /** @default one month */
  readonly logRetention?: RetentionDays;
  /** Where alarms go. @default they only show their state */
  readonly alarmTopic?: ITopic;
  /** The dashboard in CloudWatch. @default true */
  readonly dashboard?: boolean;
  /** Whether Lambda writes X-Ray segments of the invocations. @default false */
  readonly tracing?: boolean;
  /**
   * A key for tables, topics, queues, logs and the secret; infra/DEPLOYMENT.md says what its policy must allow.
   * @default keys of AWS
   */
  readonly encryptionKey?: IKey;
  /** Concurrency kept for command-api, and its limit. @default none is reserved */
  readonly reservedConcurrencyCommandApi?: number;
  /** Concurrency kept for the relay, and its limit. @default none is reserved */
  readonly reservedConcurrencyOutboxRelay?: number;
  /** IANA time zone of slots that name none of their own. @default UTC, and no quiet hours without a policy */
  readonly clinicTimeZone?: string;
  /** How long an offer stands if the released slot does not say. @default 30 minutes */
  readonly offerWindow?: Duration;
  /** How long after its deadline an offer lapses at the earliest. @default 5 seconds */
  readonly holdGrace?: Duration;
  /** Time between the two empty look-ups that open a slot to the public. @default 30 seconds */
  readonly secondLook?: Duration;
  /** Time-out of one invocation. @default 10 seconds */
  readonly functionTimeout?: Duration;
  /** Visibility of the queues, at least six times `functionTimeout`. @default 1 minute */
  readonly visibilityTimeout?: Duration;
  /** Concurrent invocations per queue at most. @default 10 */
  readonly workerConcurrency?: number;
  /** The index behind GET /v1/timelines, for one write unit per commit. @default true */
  readonly timelineIndex?: boolean;
  /**
   * Keep the template's logical ids, to take over a stack that SAM has made.
   * @default false: they begin with the construct's path
   */
  readonly preserveLogicalIds?: boolean;
}

/** Waitlist and notifications: all of infra/template.yaml. One per stack; as many stacks as you like. */
export class Callboard extends Construct {
  /** Base of the HTTP API. */
  public readonly apiUrl: string;
  /** The journal: the only write model. */
  public readonly journal: ITable;
  /** Events of slots and entries, to subscribe to. */
  public readonly waitlistEvents: ITopic;
  /** Events of notifications, to subscribe to. */
  public readonly notificationEvents: ITopic;
  /** Foreign events that were accepted, to subscribe to. */
  public readonly externalEvents: ITopic;
  /** The template, for what is not shown here: `included.getResource('EmailSenderQueue')`. */
  public readonly included: CfnInclude;

  constructor(scope: Construct, id: string, props: CallboardProps) {
    super(scope, id);
    this.included = new CfnInclude(this, 'Template', {
      templateFile: TEMPLATE,
      parameters: settle(parametersOf(TEMPLATE), valuesOf(props)),
      preserveLogicalIds: props.preserveLogicalIds ?? false,
    });
    this.dropRules();
    acknowledge(this.included);
    this.bringCode(props.functions ?? join(ROOT, 'target/lambda'));
    const output = (name: string): string => Token.asString(this.included.getOutput(name).value);
    this.apiUrl = output('ApiUrl');
    this.journal = Table.fromTableName(this, 'Journal', output('JournalTableName'));
    const topic = (name: string): ITopic => Topic.fromTopicArn(this, name, output(`${name}TopicArn`));
    this.waitlistEvents = topic('WaitlistEvents');
    this.notificationEvents = topic('NotificationEvents');
    this.externalEvents = topic('ExternalEvents');
  }

  /** Rules compare parameters, and none is left: `valuesOf` and `settle` have checked their values. */
  private dropRules(): void {
    for (const child of this.included.node.findAll()) {
      if (child instanceof CfnRule) child.node.scope?.node.tryRemoveChild(child.node.id);
    }
  }

  /** CloudFormation refuses a local path as CodeUri: each function's code becomes an asset. */
  private bringCode(directory: string): void {
    for (const child of this.included.node.findAll()) {
      if (!(child instanceof CfnFunction)) continue;
      const { Binary } = child.getMetadata('BuildProperties') as { Binary: string };
      const path = join(directory, Binary);
      if (!existsSync(join(path, 'bootstrap'))) {
        throw new Error(`Callboard: ${path} has no bootstrap; run: cargo lambda build --release`);
      }
      const asset = new Asset(this, `${Binary}-code`, { path });
      child.codeUri = { bucket: asset.s3BucketName, key: asset.s3ObjectKey };
    }
  }
}

/** From typed properties to the template's parameters; undefined is the template's default. */
export function valuesOf(props: CallboardProps): Record<string, string | undefined> {
  const seconds = (duration?: Duration): string | undefined => duration?.toSeconds().toString();
  const reserved = (name: 'reservedConcurrencyCommandApi' | 'reservedConcurrencyOutboxRelay'): string | undefined => {
    if (props[name] === 0) throw new Error(`Callboard: ${name} 0 would turn the function off`);
    return props[name]?.toString();
  };
  const jwt = props.authorizer?.kind === 'jwt' ? props.authorizer : undefined;
  const { transport } = props.mail;
  if (jwt && !jwt.issuer) throw new Error('Callboard: a JWT authorizer needs an issuer');
  return {
    Stage: props.stage,
    Architecture: props.architecture?.name,
    LogLevel: props.logLevel,
    LogRetentionDays: props.logRetention?.toString(),
    AlarmTopicArn: props.alarmTopic?.topicArn,
    Dashboard: props.dashboard?.toString(),
    Tracing: props.tracing === undefined ? undefined : props.tracing ? 'Active' : 'PassThrough',
    KmsKeyArn: props.encryptionKey?.keyArn,
    ReservedConcurrencyCommandApi: reserved('reservedConcurrencyCommandApi'),
    ReservedConcurrencyOutboxRelay: reserved('reservedConcurrencyOutboxRelay'),
    Authorizer: props.authorizer?.kind,
    JwtIssuer: jwt?.issuer,
    JwtAudience: jwt?.audience?.join(','),
    MailTransport: transport instanceof SecretValue ? transport.unsafeUnwrap() : transport,
    MailFrom: props.mail.from,
    MailIdentity: props.mail.identity,
    PublicUrl: props.publicUrl,
    LinkKeys: props.linkKeys?.unsafeUnwrap(),
    ClinicTimeZone: props.clinicTimeZone,
    OfferWindowSeconds: seconds(props.offerWindow),
    HoldGraceSeconds: seconds(props.holdGrace),
    SecondLookSeconds: seconds(props.secondLook),
    FunctionTimeoutSeconds: seconds(props.functionTimeout),
    VisibilityTimeoutSeconds: seconds(props.visibilityTimeout),
    WorkerConcurrency: props.workerConcurrency?.toString(),
    TimelineIndex: props.timelineIndex?.toString(),
  };
}
