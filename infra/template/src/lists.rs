//! The three lists: what of a template is served, read or inert; everything else is refused.
//!
//! To use a new resource type or property in `infra/template.yaml`, add it here first. *Served*
//! and *read* need a reader beside the entry; *inert* says that leaving it out changes nothing
//! that the host does.

/// What becomes of a resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A host creates it; references to it can be evaluated.
    Served,
    /// Its content reaches the [`Stack`](crate::Stack) (a route, a function's role), but a host
    /// creates nothing for it, so nothing served may refer to it.
    Read,
    /// It means something on AWS alone. Its properties are named here but not looked into.
    Inert,
}

/// One resource type with its properties.
#[derive(Debug)]
pub struct ResourceType {
    /// For instance `AWS::SQS::Queue`.
    pub name: &'static str,
    /// What becomes of it.
    pub standing: Standing,
    /// Properties that reach the [`Stack`](crate::Stack).
    pub served: &'static [&'static str],
    /// Properties that mean something on AWS alone.
    pub inert: &'static [&'static str],
    /// What `Fn::GetAtt` may ask for.
    pub attributes: &'static [&'static str],
}

/// Every resource type that is not refused.
pub const RESOURCE_TYPES: &[ResourceType] = &[
    ResourceType {
        name: "AWS::DynamoDB::Table",
        standing: Standing::Served,
        served: &[
            "TableName",
            "BillingMode",
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
            "StreamSpecification",
            "TimeToLiveSpecification",
        ],
        inert: &[
            "DeletionProtectionEnabled",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "Tags",
        ],
        attributes: &["Arn", "StreamArn"],
    },
    ResourceType {
        name: "AWS::SNS::Topic",
        standing: Standing::Served,
        served: &[
            "TopicName",
            "FifoTopic",
            "ContentBasedDeduplication",
            "FifoThroughputScope",
            "KmsMasterKeyId",
        ],
        inert: &["DisplayName", "Tags", "TracingConfig"],
        attributes: &["TopicArn", "TopicName"],
    },
    ResourceType {
        name: "AWS::SQS::Queue",
        standing: Standing::Served,
        served: &[
            "QueueName",
            "FifoQueue",
            "ContentBasedDeduplication",
            "DeduplicationScope",
            "FifoThroughputLimit",
            "VisibilityTimeout",
            "MessageRetentionPeriod",
            "DelaySeconds",
            "ReceiveMessageWaitTimeSeconds",
            "MaximumMessageSize",
            "SqsManagedSseEnabled",
            "KmsMasterKeyId",
            "KmsDataKeyReusePeriodSeconds",
            "RedrivePolicy",
        ],
        inert: &["Tags"],
        attributes: &["Arn", "QueueName", "QueueUrl"],
    },
    ResourceType {
        name: "AWS::SQS::QueuePolicy",
        standing: Standing::Read,
        served: &["Queues", "PolicyDocument"],
        inert: &[],
        attributes: &[],
    },
    ResourceType {
        name: "AWS::SNS::Subscription",
        standing: Standing::Served,
        served: &[
            "TopicArn",
            "Protocol",
            "Endpoint",
            "RawMessageDelivery",
            "FilterPolicy",
            "FilterPolicyScope",
            "RedrivePolicy",
        ],
        inert: &[],
        attributes: &["Arn"],
    },
    ResourceType {
        name: "AWS::Serverless::Function",
        standing: Standing::Served,
        served: &[
            "Runtime",
            "Role",
            "Timeout",
            "MemorySize",
            "Environment",
            "Events",
        ],
        inert: &[
            "Architectures",
            "CodeUri",
            "Description",
            "EventInvokeConfig",
            "Handler",
            "LoggingConfig",
            "ReservedConcurrentExecutions",
            "Tags",
            "Tracing",
        ],
        attributes: &["Arn"],
    },
    ResourceType {
        name: "AWS::IAM::Role",
        standing: Standing::Read,
        served: &["Policies"],
        inert: &[
            "AssumeRolePolicyDocument",
            "Description",
            "PermissionsBoundary",
            "Tags",
        ],
        attributes: &["Arn", "RoleId"],
    },
    ResourceType {
        name: "AWS::ApiGatewayV2::Api",
        standing: Standing::Served,
        served: &["ProtocolType"],
        inert: &["Name", "Description", "Tags"],
        attributes: &["ApiId", "ApiEndpoint"],
    },
    ResourceType {
        name: "AWS::ApiGatewayV2::Integration",
        standing: Standing::Read,
        served: &[
            "ApiId",
            "IntegrationType",
            "IntegrationUri",
            "PayloadFormatVersion",
        ],
        inert: &["Description"],
        attributes: &["IntegrationId"],
    },
    ResourceType {
        name: "AWS::ApiGatewayV2::Route",
        standing: Standing::Read,
        served: &[
            "ApiId",
            "RouteKey",
            "Target",
            "AuthorizationType",
            "AuthorizerId",
        ],
        inert: &["OperationName"],
        attributes: &["RouteId"],
    },
    ResourceType {
        name: "AWS::ApiGatewayV2::Authorizer",
        standing: Standing::Read,
        served: &["ApiId", "AuthorizerType", "JwtConfiguration"],
        inert: &["IdentitySource", "Name"],
        attributes: &["AuthorizerId"],
    },
    ResourceType {
        name: "AWS::ApiGatewayV2::Stage",
        standing: Standing::Inert,
        served: &[],
        inert: &[
            "ApiId",
            "AccessLogSettings",
            "AutoDeploy",
            "DefaultRouteSettings",
            "Description",
            "RouteSettings",
            "StageName",
            "Tags",
        ],
        attributes: &[],
    },
    ResourceType {
        name: "AWS::CloudWatch::Alarm",
        standing: Standing::Inert,
        served: &[],
        inert: &[
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluateLowSampleCountPercentile",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "TreatMissingData",
            "Unit",
        ],
        attributes: &["Arn"],
    },
    ResourceType {
        name: "AWS::CloudWatch::Dashboard",
        standing: Standing::Inert,
        served: &[],
        inert: &["DashboardBody", "DashboardName"],
        attributes: &[],
    },
    // What a role gets where a switch is on that means something on AWS alone: X-Ray, KMS.
    ResourceType {
        name: "AWS::IAM::Policy",
        standing: Standing::Inert,
        served: &[],
        inert: &["PolicyDocument", "PolicyName", "Roles"],
        attributes: &[],
    },
    ResourceType {
        name: "AWS::Lambda::Permission",
        standing: Standing::Inert,
        served: &[],
        inert: &[
            "Action",
            "FunctionName",
            "Principal",
            "SourceAccount",
            "SourceArn",
        ],
        attributes: &["Id"],
    },
    ResourceType {
        name: "AWS::Logs::LogGroup",
        standing: Standing::Inert,
        served: &[],
        inert: &["KmsKeyId", "LogGroupClass", "RetentionInDays", "Tags"],
        attributes: &["Arn"],
    },
    ResourceType {
        name: "AWS::Logs::MetricFilter",
        standing: Standing::Inert,
        served: &[],
        inert: &[
            "FilterName",
            "FilterPattern",
            "LogGroupName",
            "MetricTransformations",
        ],
        attributes: &[],
    },
    ResourceType {
        name: "AWS::SecretsManager::Secret",
        standing: Standing::Inert,
        served: &[],
        inert: &["Description", "GenerateSecretString", "KmsKeyId", "Tags"],
        attributes: &["Id"],
    },
    ResourceType {
        name: "AWS::SNS::TopicPolicy",
        standing: Standing::Inert,
        served: &[],
        inert: &["PolicyDocument", "Topics"],
        attributes: &["Id"],
    },
];

/// Sections of a template. `Globals` may hold `Function` alone. `Rules` is inert: what combinations
/// of parameters AWS refuses says nothing of a laptop.
pub const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Conditions",
    "Globals",
    "Resources",
    "Outputs",
];

/// What a resource may say beside its properties. `Metadata` is looked into on functions alone;
/// `DeletionPolicy` and `UpdateReplacePolicy` are inert.
pub const RESOURCE_KEYS: &[&str] = &[
    "Type",
    "Condition",
    "DependsOn",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Properties",
];

/// What a parameter may say.
pub const PARAMETER_KEYS: &[&str] = &[
    "Type",
    "Default",
    "Description",
    "NoEcho",
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
];

/// Intrinsic functions that can stand in a value; `Fn::Equals`, `Fn::Not`, `Fn::And`, `Fn::Or` and
/// `Condition` only under `Conditions`.
pub const FUNCTIONS: &[&str] = &["Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::If"];

/// The entry of a resource type, unless it is refused.
#[must_use]
pub fn resource_type(name: &str) -> Option<&'static ResourceType> {
    RESOURCE_TYPES.iter().find(|entry| entry.name == name)
}

/// The known word closest to a mistyped one, for "did you mean".
#[must_use]
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// More edits than this is another word, not a slip.
    const EDITS_MAX: usize = 3;
    known
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= EDITS_MAX)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substitute = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
