//! The shapes of the operations' inputs, after the API reference:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations.html>.

use super::shape::{Member, Origin, Shape, Structure};
use Shape::{Any, Count, Flag, List, Map, OldFlag, OneOf, Struct, Text, Value, Values, Whole};

const INTEGER: Shape = Whole("Integer");
const LONG: Shape = Whole("Long");

const TABLE: &[Member] = &[("TableName", Text)];
const KEY: &[Member] = &[("Key", Values(Origin::Plain))];
const ITEM: &[Member] = &[("Item", Values(Origin::Plain))];
const NAMES: &[Member] = &[("ExpressionAttributeNames", Map(&Text))];
const BINDINGS: &[Member] = &[
    ("ExpressionAttributeNames", Map(&Text)),
    ("ExpressionAttributeValues", Values(Origin::Expression)),
];
const CONDITION: &[Member] = &[
    ("ConditionExpression", Text),
    ("ReturnValuesOnConditionCheckFailure", Text),
];
const CAPACITY: &[Member] = &[("ReturnConsumedCapacity", Text)];
const WRITE: &[Member] = &[
    ("Expected", Map(&EXPECTED)),
    ("ConditionalOperator", Text),
    ("ReturnValues", Text),
    ("ReturnItemCollectionMetrics", Text),
];
const READ: &[Member] = &[
    ("AttributesToGet", List(&Text)),
    ("ConsistentRead", Flag),
    ("ProjectionExpression", Text),
];
const PAGES: &[Member] = &[
    ("IndexName", Text),
    ("Select", Text),
    ("Limit", INTEGER),
    ("ConditionalOperator", Text),
    ("FilterExpression", Text),
    ("ExclusiveStartKey", Values(Origin::StartKey)),
];
const THROUGHPUT: &[Member] = &[("ProvisionedThroughput", Struct(&PROVISIONED_THROUGHPUT))];
const STREAM_AND_KIND: &[Member] = &[
    ("BillingMode", Text),
    ("TableClass", Text),
    ("DeletionProtectionEnabled", Flag),
    ("StreamSpecification", Struct(&STREAM_SPECIFICATION)),
];
const INDEX: &[Member] = &[
    ("IndexName", Text),
    ("KeySchema", List(&INDEX_KEY)),
    ("Projection", Struct(&PROJECTION)),
];
const VECTOR_INDEX: &[Member] = &[
    ("IndexName", Text),
    ("DistanceFunction", Text),
    ("Dimensions", INTEGER),
    ("VectorAttribute", Struct(&VECTOR_ATTRIBUTE)),
    ("SearchSchema", List(&SEARCH_SCHEMA_ELEMENT)),
    ("Projection", Struct(&PROJECTION)),
];
const PARAMETERS: &[Member] = &[
    ("Statement", Text),
    ("Parameters", List(&Value)),
    ("ReturnValuesOnConditionCheckFailure", Text),
];

static WRITE_REQUEST: Shape = Struct(&Structure {
    name: "WriteRequest",
    members: &[&[
        ("PutRequest", Struct(&PUT_REQUEST)),
        ("DeleteRequest", Struct(&DELETE_REQUEST)),
    ]],
    required: &[],
    is_union: true,
});

/// Structures: their names, members, and those that are required.
macro_rules! structures {
    ($($constant:ident: $name:literal = [$($group:expr),* $(,)?] $(needs [$($required:literal),*])?;)*) => {
        $(static $constant: Structure = Structure {
            name: $name,
            members: &[$($group),*],
            required: &[$($($required),*)?],
            is_union: false,
        };)*
    };
}

/// As [`structures`], as the shapes that lists and maps hold.
macro_rules! elements {
    ($($constant:ident: $name:literal = [$($group:expr),* $(,)?] $(needs [$($required:literal),*])?;)*) => {
        $(static $constant: Shape = Struct(&Structure {
            name: $name,
            members: &[$($group),*],
            required: &[$($($required),*)?],
            is_union: false,
        });)*
    };
}

elements! {
    EXPECTED: "ExpectedAttributeValue" = [&[
        ("Exists", OldFlag),
        ("Value", Value),
        ("ComparisonOperator", Text),
        ("AttributeValueList", List(&Value)),
    ]];
    FILTER: "Condition" = [&[
        ("ComparisonOperator", Text),
        ("AttributeValueList", List(&Value)),
    ]];
    VALUE_UPDATE: "AttributeValueUpdate" = [&[("Action", Text), ("Value", Value)]];
    KEYS_AND_ATTRIBUTES: "KeysAndAttributes" = [
        READ, NAMES, &[("Keys", List(&Values(Origin::Plain)))],
    ] needs ["Keys"];
    TRANSACT_GET_ITEM: "TransactGetItem" = [&[("Get", Struct(&TRANSACT_GET))]] needs ["Get"];
    TRANSACT_WRITE_ITEM: "TransactWriteItem" = [&[
        ("ConditionCheck", Struct(&CONDITION_CHECK)),
        ("Put", Struct(&TRANSACT_PUT)),
        ("Delete", Struct(&TRANSACT_DELETE)),
        ("Update", Struct(&TRANSACT_UPDATE)),
    ]];
    BATCH_STATEMENT: "BatchStatementRequest" = [PARAMETERS, &[("ConsistentRead", Flag)]] needs ["Statement"];
    PARAMETERIZED_STATEMENT: "ParameterizedStatement" = [PARAMETERS] needs ["Statement"];
    ATTRIBUTE_DEFINITION: "AttributeDefinition" = [&[
        ("AttributeName", Text), ("AttributeType", Text),
    ]];
    KEY_SCHEMA_ELEMENT: "KeySchemaElement" = [&[("AttributeName", Text), ("KeyType", Text)]];
    INDEX_KEY: "KeySchemaElement" = [&[
        ("AttributeName", Text), ("KeyType", OneOf(&["HASH", "RANGE"])),
    ]] needs ["AttributeName", "KeyType"];
    MORE_ATTRIBUTES: "AttributeDefinition" = [&[
        ("AttributeName", Text), ("AttributeType", OneOf(&["B", "N", "S"])),
    ]] needs ["AttributeName", "AttributeType"];
    LOCAL_INDEX: "LocalSecondaryIndex" = [INDEX];
    GLOBAL_INDEX: "GlobalSecondaryIndex" = [INDEX, THROUGHPUT];
    VECTOR: "VectorIndex" = [VECTOR_INDEX];
    SEARCH_SCHEMA_ELEMENT: "SearchSchemaElement" = [&[
        ("AttributeName", Text), ("SearchSchemaElementType", Text),
    ]];
    GLOBAL_INDEX_UPDATE: "GlobalSecondaryIndexUpdate" = [&[
        ("Create", Struct(&CREATE_INDEX)),
        ("Update", Struct(&UPDATE_INDEX)),
        ("Delete", Struct(&DELETE_INDEX)),
    ]];
    VECTOR_UPDATE: "VectorIndexUpdate" = [&[
        ("Create", Struct(&CREATE_VECTOR)),
        ("Delete", Struct(&DELETE_VECTOR)),
    ]];
    TAG: "Tag" = [&[("Key", Text), ("Value", Text)]] needs ["Key", "Value"];
}

structures! {
    PUT_REQUEST: "PutRequest" = [ITEM] needs ["Item"];
    DELETE_REQUEST: "DeleteRequest" = [KEY] needs ["Key"];
    TRANSACT_GET: "Get" = [TABLE, KEY, NAMES, &[("ProjectionExpression", Text)]] needs ["TableName", "Key"];
    CONDITION_CHECK: "ConditionCheck" = [TABLE, KEY, BINDINGS, CONDITION] needs ["TableName", "Key", "ConditionExpression"];
    TRANSACT_PUT: "Put" = [TABLE, ITEM, BINDINGS, CONDITION] needs ["TableName", "Item"];
    TRANSACT_DELETE: "Delete" = [TABLE, KEY, BINDINGS, CONDITION] needs ["TableName", "Key"];
    TRANSACT_UPDATE: "Update" = [TABLE, KEY, BINDINGS, CONDITION, &[("UpdateExpression", Text)]] needs ["TableName", "Key", "UpdateExpression"];
    PROVISIONED_THROUGHPUT: "ProvisionedThroughput" = [&[
        ("ReadCapacityUnits", LONG), ("WriteCapacityUnits", LONG),
    ]];
    STREAM_SPECIFICATION: "StreamSpecification" = [&[
        ("StreamEnabled", Flag), ("StreamViewType", Text),
    ]] needs ["StreamEnabled"];
    SSE: "SSESpecification" = [&[
        ("Enabled", Flag), ("SSEType", Text), ("KMSMasterKeyId", Text),
    ]];
    PROJECTION: "Projection" = [&[
        ("ProjectionType", Text), ("NonKeyAttributes", List(&Text)),
    ]];
    VECTOR_ATTRIBUTE: "VectorAttributeDefinition" = [&[("AttributeName", Text)]];
    CREATE_INDEX: "CreateGlobalSecondaryIndexAction" = [INDEX, THROUGHPUT];
    UPDATE_INDEX: "UpdateGlobalSecondaryIndexAction" = [THROUGHPUT, &[("IndexName", Text)]] needs ["IndexName"];
    DELETE_INDEX: "DeleteGlobalSecondaryIndexAction" = [&[("IndexName", Text)]] needs ["IndexName"];
    CREATE_VECTOR: "CreateVectorIndexAction" = [VECTOR_INDEX];
    DELETE_VECTOR: "DeleteVectorIndexAction" = [&[("IndexName", Text)]] needs ["IndexName"];
    TIME_TO_LIVE: "TimeToLiveSpecification" = [&[("Enabled", Flag), ("AttributeName", Text)]] needs ["Enabled", "AttributeName"];

    PUT_ITEM: "PutItemInput" = [TABLE, ITEM, WRITE, BINDINGS, CONDITION, CAPACITY];
    DELETE_ITEM: "DeleteItemInput" = [TABLE, KEY, WRITE, BINDINGS, CONDITION, CAPACITY];
    UPDATE_ITEM: "UpdateItemInput" = [TABLE, KEY, WRITE, BINDINGS, CONDITION, CAPACITY, &[
        ("UpdateExpression", Text), ("AttributeUpdates", Map(&VALUE_UPDATE)),
    ]];
    GET_ITEM: "GetItemInput" = [TABLE, KEY, READ, NAMES, CAPACITY];
    QUERY: "QueryInput" = [TABLE, PAGES, READ, BINDINGS, CAPACITY, &[
        ("KeyConditionExpression", Text),
        ("KeyConditions", Map(&FILTER)),
        ("QueryFilter", Map(&FILTER)),
        ("ScanIndexForward", Flag),
    ]];
    SCAN: "ScanInput" = [TABLE, PAGES, READ, BINDINGS, CAPACITY, &[
        ("ScanFilter", Map(&FILTER)), ("Segment", INTEGER), ("TotalSegments", INTEGER),
    ]];
    BATCH_GET_ITEM: "BatchGetItemInput" = [CAPACITY, &[
        ("RequestItems", Map(&KEYS_AND_ATTRIBUTES)),
    ]] needs ["RequestItems"];
    BATCH_WRITE_ITEM: "BatchWriteItemInput" = [CAPACITY, &[
        ("RequestItems", Map(&List(&WRITE_REQUEST))), ("ReturnItemCollectionMetrics", Text),
    ]] needs ["RequestItems"];
    TRANSACT_GET_ITEMS: "TransactGetItemsInput" = [CAPACITY, &[
        ("TransactItems", List(&TRANSACT_GET_ITEM)),
    ]] needs ["TransactItems"];
    TRANSACT_WRITE_ITEMS: "TransactWriteItemsInput" = [CAPACITY, &[
        ("TransactItems", List(&TRANSACT_WRITE_ITEM)),
        ("ReturnItemCollectionMetrics", Text),
        ("ClientRequestToken", Text),
    ]] needs ["TransactItems"];
    EXECUTE_STATEMENT: "ExecuteStatementInput" = [PARAMETERS, CAPACITY, &[
        ("ConsistentRead", Flag), ("Limit", Count), ("NextToken", Text),
    ]] needs ["Statement"];
    BATCH_EXECUTE: "BatchExecuteStatementInput" = [CAPACITY, &[
        ("Statements", List(&BATCH_STATEMENT)),
    ]] needs ["Statements"];
    EXECUTE_TRANSACTION: "ExecuteTransactionInput" = [CAPACITY, &[
        ("TransactStatements", List(&PARAMETERIZED_STATEMENT)), ("ClientRequestToken", Text),
    ]] needs ["TransactStatements"];
    CREATE_TABLE: "CreateTableInput" = [TABLE, THROUGHPUT, STREAM_AND_KIND, &[
        ("AttributeDefinitions", List(&ATTRIBUTE_DEFINITION)),
        ("KeySchema", List(&KEY_SCHEMA_ELEMENT)),
        ("LocalSecondaryIndexes", List(&LOCAL_INDEX)),
        ("GlobalSecondaryIndexes", List(&GLOBAL_INDEX)),
        ("VectorIndexes", List(&VECTOR)),
        ("SSESpecification", Struct(&SSE)),
        ("Tags", List(&TAG)),
    ]];
    UPDATE_TABLE: "UpdateTableInput" = [TABLE, THROUGHPUT, STREAM_AND_KIND, &[
        ("AttributeDefinitions", List(&MORE_ATTRIBUTES)),
        ("GlobalSecondaryIndexUpdates", List(&GLOBAL_INDEX_UPDATE)),
        ("VectorIndexUpdates", List(&VECTOR_UPDATE)),
        ("SSESpecification", Struct(&SSE)),
    ]];
    NAMED_TABLE: "TableInput" = [TABLE];
    LIST_TABLES: "ListTablesInput" = [&[("ExclusiveStartTableName", Text), ("Limit", INTEGER)]];
    UPDATE_TTL: "UpdateTimeToLiveInput" = [TABLE, &[
        ("TimeToLiveSpecification", Struct(&TIME_TO_LIVE)),
    ]] needs ["TableName", "TimeToLiveSpecification"];
    TAG_RESOURCE: "TagResourceInput" = [&[("ResourceArn", Text), ("Tags", List(&TAG))]] needs ["Tags"];
    UNTAG_RESOURCE: "UntagResourceInput" = [&[("ResourceArn", Text), ("TagKeys", List(&Text))]] needs ["TagKeys"];
    LIST_TAGS: "ListTagsOfResourceInput" = [&[("ResourceArn", Text), ("NextToken", Text)]];
    LIST_STREAMS: "ListStreamsInput" = [TABLE, &[
        ("Limit", Count), ("ExclusiveStartStreamArn", Text),
    ]];
    DESCRIBE_STREAM: "DescribeStreamInput" = [&[
        ("StreamArn", Text), ("Limit", INTEGER), ("ExclusiveStartShardId", Text),
        ("ShardFilter", Any),
    ]] needs ["StreamArn"];
    GET_SHARD_ITERATOR: "GetShardIteratorInput" = [&[
        ("StreamArn", Text), ("ShardId", Text), ("ShardIteratorType", Text),
        ("SequenceNumber", Text),
    ]] needs ["StreamArn", "ShardId", "ShardIteratorType"];
    GET_RECORDS: "GetRecordsInput" = [&[("ShardIterator", Text), ("Limit", Count)]] needs ["ShardIterator"];
    RECOVERY: "PointInTimeRecoverySpecification" = [&[
        ("PointInTimeRecoveryEnabled", Flag), ("RecoveryPeriodInDays", INTEGER),
    ]] needs ["PointInTimeRecoveryEnabled"];
    DESCRIBE_BACKUPS: "DescribeContinuousBackupsInput" = [TABLE] needs ["TableName"];
    UPDATE_BACKUPS: "UpdateContinuousBackupsInput" = [TABLE, &[
        ("PointInTimeRecoverySpecification", Struct(&RECOVERY)),
    ]] needs ["TableName", "PointInTimeRecoverySpecification"];
    PUT_POLICY: "PutResourcePolicyInput" = [&[
        ("ResourceArn", Text), ("Policy", Text), ("ExpectedRevisionId", Text),
        ("ConfirmRemoveSelfResourceAccess", Flag),
    ]] needs ["ResourceArn", "Policy"];
    POLICY: "ResourcePolicyInput" = [&[
        ("ResourceArn", Text), ("ExpectedRevisionId", Text),
    ]] needs ["ResourceArn"];
    // Their members choose among what the engine never has.
    ACCOUNT: "AccountInput" = [];
    // Served by an endpoint of its own, whose words for types are serde's, as the crate's are.
    SEARCH_VECTORS: "SearchVectorsInput" = [];
}

/// The input of an operation, or `None` if there is none of that name.
pub(super) fn of(operation: &str) -> Option<&'static Structure> {
    Some(match operation {
        "PutItem" => &PUT_ITEM,
        "GetItem" => &GET_ITEM,
        "UpdateItem" => &UPDATE_ITEM,
        "DeleteItem" => &DELETE_ITEM,
        "Query" => &QUERY,
        "Scan" => &SCAN,
        "BatchGetItem" => &BATCH_GET_ITEM,
        "BatchWriteItem" => &BATCH_WRITE_ITEM,
        "TransactGetItems" => &TRANSACT_GET_ITEMS,
        "TransactWriteItems" => &TRANSACT_WRITE_ITEMS,
        "ExecuteStatement" => &EXECUTE_STATEMENT,
        "BatchExecuteStatement" => &BATCH_EXECUTE,
        "ExecuteTransaction" => &EXECUTE_TRANSACTION,
        "SearchVectors" => &SEARCH_VECTORS,
        "CreateTable" => &CREATE_TABLE,
        "UpdateTable" => &UPDATE_TABLE,
        "DeleteTable" | "DescribeTable" | "DescribeTimeToLive" => &NAMED_TABLE,
        "ListTables" => &LIST_TABLES,
        "UpdateTimeToLive" => &UPDATE_TTL,
        "TagResource" => &TAG_RESOURCE,
        "UntagResource" => &UNTAG_RESOURCE,
        "ListTagsOfResource" => &LIST_TAGS,
        "DescribeContinuousBackups" => &DESCRIBE_BACKUPS,
        "UpdateContinuousBackups" => &UPDATE_BACKUPS,
        "PutResourcePolicy" => &PUT_POLICY,
        "GetResourcePolicy" | "DeleteResourcePolicy" => &POLICY,
        "DescribeLimits" | "DescribeEndpoints" | "ListBackups" | "ListGlobalTables"
        | "ListExports" | "ListImports" => &ACCOUNT,
        "ListStreams" => &LIST_STREAMS,
        "DescribeStream" => &DESCRIBE_STREAM,
        "GetShardIterator" => &GET_SHARD_ITERATOR,
        "GetRecords" => &GET_RECORDS,
        _ => return None,
    })
}
