//! The typed template: what a host has to create and to drive.
//!
//! Lists are in the order of the template's text. Attribute maps (`attributes`) hold names and
//! values as the service's own `CreateQueue`, `CreateTopic` and `Subscribe` take them, so that a
//! host passes them on without a table of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::expr::Expr;
use crate::problem::Position;
use crate::source::EventSource;

/// A template with parameters and conditions resolved.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stack {
    /// The template's file, as it was given to [`crate::load`]; for messages.
    pub file: String,
    /// `AWS::DynamoDB::Table`.
    pub tables: Vec<Table>,
    /// `AWS::SNS::Topic`.
    pub topics: Vec<Topic>,
    /// `AWS::SQS::Queue`, dead-letter queues included.
    pub queues: Vec<Queue>,
    /// `AWS::SQS::QueuePolicy`.
    pub queue_policies: Vec<QueuePolicy>,
    /// `AWS::SNS::Subscription`.
    pub subscriptions: Vec<Subscription>,
    /// `AWS::Serverless::Function`.
    pub functions: Vec<Function>,
    /// The HTTP API with its routes, if the template has one.
    pub http_api: Option<HttpApi>,
    /// `Outputs`.
    pub outputs: Vec<Output>,
    /// Resources that mean something on AWS alone: logical id and type.
    pub inert: Vec<(String, String)>,
    /// Every parameter with the value it has in this stack, apart from those marked `NoEcho`.
    pub parameters: BTreeMap<String, String>,
}

/// An `AWS::DynamoDB::Table`, `PAY_PER_REQUEST`.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name in the template.
    pub logical_id: String,
    /// Where it stands.
    pub position: Position,
    /// `TableName`, if the template fixes one (ours never does).
    pub name: Option<String>,
    /// Attribute definitions: name and type.
    pub attributes: Vec<(String, AttributeType)>,
    /// Primary key.
    pub key: KeySchema,
    /// Global secondary indexes.
    pub indexes: Vec<Index>,
    /// What the stream shows; `None`: no stream.
    pub stream: Option<StreamView>,
    /// The attribute that holds the expiry time (epoch seconds), if TTL is on.
    pub ttl_attribute: Option<String>,
}

/// Type of a key attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// `S`.
    String,
    /// `N`.
    Number,
    /// `B`.
    Binary,
}

impl AttributeType {
    /// `S`, `N` or `B`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "S",
            Self::Number => "N",
            Self::Binary => "B",
        }
    }
}

/// A table's or an index's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySchema {
    /// Name of the partition key.
    pub hash: String,
    /// Name of the sort key.
    pub range: Option<String>,
}

/// A global secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// `IndexName`.
    pub name: String,
    /// Its key.
    pub key: KeySchema,
    /// What is copied into it.
    pub projection: Projection,
}

/// What an index holds beside its key and the table's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// `ALL`.
    All,
    /// `KEYS_ONLY`.
    KeysOnly,
    /// `INCLUDE` with these attributes.
    Include(Vec<String>),
}

/// `StreamViewType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamView {
    /// `KEYS_ONLY`.
    KeysOnly,
    /// `NEW_IMAGE`.
    NewImage,
    /// `OLD_IMAGE`.
    OldImage,
    /// `NEW_AND_OLD_IMAGES`.
    NewAndOldImages,
}

impl StreamView {
    /// As DynamoDB writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeysOnly => "KEYS_ONLY",
            Self::NewImage => "NEW_IMAGE",
            Self::OldImage => "OLD_IMAGE",
            Self::NewAndOldImages => "NEW_AND_OLD_IMAGES",
        }
    }
}

/// An `AWS::SNS::Topic`. `Ref` is its ARN.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// Name in the template.
    pub logical_id: String,
    /// Where it stands.
    pub position: Position,
    /// `TopicName`, if the template fixes one (ours never does).
    pub name: Option<String>,
    /// A FIFO topic: its name must end in `.fifo`.
    pub fifo: bool,
    /// For `CreateTopic`: `FifoTopic`, `FifoThroughputScope`, `KmsMasterKeyId`, …
    pub attributes: BTreeMap<String, String>,
}

/// An `AWS::SQS::Queue`. `Ref` is its URL, `GetAtt Arn` its ARN.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Name in the template.
    pub logical_id: String,
    /// Where it stands.
    pub position: Position,
    /// `QueueName`, if the template fixes one (ours never does).
    pub name: Option<String>,
    /// A FIFO queue: its name must end in `.fifo`.
    pub fifo: bool,
    /// For `CreateQueue`, apart from `RedrivePolicy`: `VisibilityTimeout`, `FifoQueue`, …
    pub attributes: BTreeMap<String, String>,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
}

/// A queue's `RedrivePolicy`.
#[derive(Debug, Clone, PartialEq)]
pub struct Redrive {
    /// ARN of the dead-letter queue, usually `GetAtt X.Arn`.
    pub dead_letter_queue: Expr,
    /// Receives after which a message is moved.
    pub max_receive_count: u32,
}

/// An `AWS::SQS::QueuePolicy`: who may send. The embedded engine checks no policies; AWS does.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuePolicy {
    /// Name in the template.
    pub logical_id: String,
    /// Where it stands.
    pub position: Position,
    /// URLs of the queues that get it.
    pub queues: Vec<Expr>,
    /// The policy document.
    pub document: Expr,
}

/// An `AWS::SNS::Subscription` with protocol `sqs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Name in the template.
    pub logical_id: String,
    /// Where it stands.
    pub position: Position,
    /// ARN of the topic, usually `Ref X`.
    pub topic: Expr,
    /// ARN of the queue, usually `GetAtt X.Arn`.
    pub endpoint: Expr,
    /// `RawMessageDelivery`: the published body alone, without SNS's envelope.
    pub raw: bool,
    /// `FilterPolicy`, if any.
    pub filter_policy: Option<Value>,
    /// What the filter policy looks at.
    pub filter_scope: FilterScope,
    /// ARN of the queue for what could not be delivered.
    pub dead_letter_queue: Option<Expr>,
}

/// `FilterPolicyScope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilterScope {
    /// `MessageAttributes`.
    #[default]
    Attributes,
    /// `MessageBody`.
    Body,
}

impl FilterScope {
    /// As SNS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attributes => "MessageAttributes",
            Self::Body => "MessageBody",
        }
    }
}

/// An `AWS::Serverless::Function`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Name in the template.
    pub logical_id: String,
    /// Where it stands.
    pub position: Position,
    /// `Metadata.BuildProperties.Binary`: the cargo binary, which is also the package's name.
    pub binary: String,
    /// Time-out of one invocation, in seconds.
    pub timeout_s: u32,
    /// `MemorySize`, in MiB.
    pub memory_mb: u32,
    /// Environment variables, `Globals` merged in.
    pub env: BTreeMap<String, Expr>,
    /// Event source mappings.
    pub events: Vec<EventSource>,
    /// What its role may do. Checked by AWS, and by tests that compare it with recorded calls.
    pub statements: Vec<Statement>,
}

/// One statement of a function's policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Where it stands.
    pub position: Position,
    /// `Sid`, if it has one.
    pub sid: Option<String>,
    /// `Allow` if true, else `Deny`.
    pub allow: bool,
    /// Actions, for instance `dynamodb:PutItem`.
    pub actions: Vec<String>,
    /// Resource ARNs. They may point to what exists on AWS alone (log groups).
    pub resources: Vec<Expr>,
    /// What must hold beside: all of them.
    pub conditions: Vec<Condition>,
}

/// One test of a statement's `Condition`: an operator, a key of the request's context, and the
/// values of which one must fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// For instance `StringEquals` or `ForAllValues:StringLike`.
    pub operator: String,
    /// For instance `dynamodb:LeadingKeys`.
    pub key: String,
    /// What the template lists.
    pub values: Vec<Expr>,
}

/// The HTTP API (API Gateway v2, payload format 2.0) with every route of every function.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpApi {
    /// Name in the template.
    pub logical_id: String,
    /// Where it stands.
    pub position: Position,
    /// Routes in the order of the template.
    pub routes: Vec<Route>,
}

/// One route of the HTTP API.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Where it stands.
    pub position: Position,
    /// `GET`, `POST`, …, upper case; `ANY` for all.
    pub method: String,
    /// API Gateway's form: `/v1/slots/{id}`; a last `{proxy+}` takes the rest.
    pub path: String,
    /// Logical id of the function.
    pub function: String,
    /// Who may call it on AWS. On loopback all routes are open.
    pub authorization: Authorization,
}

/// Who may call a route.
#[derive(Debug, Clone, PartialEq)]
pub enum Authorization {
    /// Everybody.
    Open,
    /// Requests signed with AWS credentials that may `execute-api:Invoke`.
    Iam,
    /// Requests with a bearer token.
    Jwt {
        /// The token's `iss`.
        issuer: String,
        /// One of them must be the token's `aud` (or `client_id`).
        audience: Vec<String>,
    },
}

/// One entry of `Outputs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Name of the output.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// What it says, if given.
    pub description: Option<String>,
    /// Its value; it may point to inert resources, which a host cannot evaluate.
    pub value: Expr,
}

impl Stack {
    /// The queue with this logical id.
    #[must_use]
    pub fn queue(&self, logical_id: &str) -> Option<&Queue> {
        self.queues
            .iter()
            .find(|queue| queue.logical_id == logical_id)
    }

    /// The topic with this logical id.
    #[must_use]
    pub fn topic(&self, logical_id: &str) -> Option<&Topic> {
        self.topics
            .iter()
            .find(|topic| topic.logical_id == logical_id)
    }

    /// The table with this logical id.
    #[must_use]
    pub fn table(&self, logical_id: &str) -> Option<&Table> {
        self.tables
            .iter()
            .find(|table| table.logical_id == logical_id)
    }

    /// The function with this logical id.
    #[must_use]
    pub fn function(&self, logical_id: &str) -> Option<&Function> {
        self.functions
            .iter()
            .find(|function| function.logical_id == logical_id)
    }

    /// The function built from this cargo binary.
    #[must_use]
    pub fn function_by_binary(&self, binary: &str) -> Option<&Function> {
        self.functions
            .iter()
            .find(|function| function.binary == binary)
    }
}
