use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use callboard_template::{Parameters, Reference, Stack};
use serde_json::{Value, json};

use super::access::Call;
use super::condition::like;
use super::*;

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Journal:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
        - {AttributeName: due, AttributeType: S}
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      GlobalSecondaryIndexes:
        - IndexName: agenda
          KeySchema: [{AttributeName: due, KeyType: HASH}]
          Projection: {ProjectionType: KEYS_ONLY}
  Work:
    Type: AWS::SQS::Queue
  Clerk:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: clerk}}
    Properties:
      Runtime: provided.al2023
      CodeUri: .
      Role: !GetAtt ClerkRole.Arn
  ClerkRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: function
          PolicyDocument:
            Version: '2012-10-17'
            Statement: STATEMENTS
";

const APPEND: &str = "[{Sid: Append, Effect: Allow, Action: [dynamodb:PutItem, dynamodb:BatchGetItem], \
    Resource: !GetAtt Journal.Arn, Condition: {'ForAllValues:StringLike': \
    {dynamodb:LeadingKeys: ['slot#*', 'entry#*']}}}]";

fn stack(statements: &str) -> Stack {
    let text = TEMPLATE.replace("STATEMENTS", statements);
    callboard_template::load("copy.yaml", &text, &Parameters::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn lookup(reference: &Reference) -> Option<String> {
    let (id, attribute) = (&reference.logical_id, reference.attribute.as_deref());
    let service = if id == "Journal" { "dynamodb" } else { "sqs" };
    let path = if id == "Journal" { "table/" } else { "" };
    match attribute {
        None => Some(id.clone()),
        Some("Arn") => Some(format!(
            "arn:aws:{service}:us-east-1:000000000000:{path}{id}"
        )),
        Some(_) => None,
    }
}

fn policy(statements: &str) -> Policy {
    Policy::of(&stack(statements).functions[0], &lookup)
}

/// What a request in JSON asks for.
fn asked(target: &str, body: Value) -> Vec<Access> {
    let mut request = HttpRequest::new(SdkBody::from(body.to_string()));
    request
        .headers_mut()
        .insert("x-amz-target", target.to_owned());
    read(&request).expect("readable")
}

fn read(request: &HttpRequest) -> Result<Vec<Access>, super::access::Unreadable> {
    let place = Place::of(&stack(APPEND), &lookup);
    Call::read(request)?.accesses(&place, |_| None)
}

fn put(pk: &str) -> Access {
    let item = json!({ "TableName": "Journal", "Item": { "pk": { "S": pk } } });
    asked("DynamoDB_20120810.PutItem", item).remove(0)
}

#[test]
fn a_pattern_holds_any_number_of_characters_where_a_star_stands() {
    for (pattern, text, holds) in [
        ("slot#*", "slot#a*b", true),
        ("slot#*", "slots#a", false),
        ("*/stream/*", "table/a/stream/b/stream/c", true),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("", "", true),
        ("*", "", true),
    ] {
        assert_eq!(like(pattern, text), holds, "{pattern} {text}");
    }
}

#[test]
fn keys_outside_the_patterns_are_refused_one_among_many_too() {
    let policy = policy(APPEND);
    assert!(policy.allows(&put("slot#1")));
    assert!(policy.allows(&put("entry#1")));
    assert!(!policy.allows(&put("notification#1")));
    let batch = |keys: &[&str]| {
        let keys: Vec<_> = keys.iter().map(|pk| json!({ "pk": { "S": pk } })).collect();
        let body = json!({ "RequestItems": { "Journal": { "Keys": keys } } });
        asked("DynamoDB_20120810.BatchGetItem", body).remove(0)
    };
    assert!(policy.allows(&batch(&["slot#1", "entry#2"])));
    assert!(!policy.allows(&batch(&["slot#1", "event#2"])));
}

#[test]
fn a_transaction_needs_leave_for_each_of_its_parts() {
    let key = json!({ "pk": { "S": "slot#1" } });
    let body = json!({ "TransactItems": [
        { "Put": { "TableName": "Journal", "Item": key } },
        { "ConditionCheck": { "TableName": "Journal", "Key": key } },
        { "Update": { "TableName": "Journal", "Key": key } },
        { "Delete": { "TableName": "Journal", "Key": key } },
    ] });
    let accesses = asked("DynamoDB_20120810.TransactWriteItems", body);
    let actions: Vec<_> = accesses.iter().map(|one| one.action.as_str()).collect();
    let expected = [
        "dynamodb:PutItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
    ];
    assert_eq!(actions, expected);
    let policy = policy(APPEND);
    let allowed: Vec<_> = accesses.iter().map(|one| policy.allows(one)).collect();
    assert_eq!(allowed, [true, false, false, false]);
}

#[test]
fn a_query_of_an_index_is_one_on_the_index_with_its_own_key() {
    let body = json!({
        "TableName": "Journal", "IndexName": "agenda",
        "KeyConditionExpression": "#due = :bucket AND due_at <= :now",
        "ExpressionAttributeNames": { "#due": "due" },
        "ExpressionAttributeValues": { ":bucket": { "S": "b-7" }, ":now": { "N": "1" } },
    });
    let access = asked("DynamoDB_20120810.Query", body).remove(0);
    assert!(access.resource.ends_with(":table/Journal/index/agenda"));
    assert_eq!(access.leading_keys, ["b-7"]);
    let table = "[{Effect: Allow, Action: dynamodb:Query, Resource: !GetAtt Journal.Arn}]";
    assert!(!policy(table).allows(&access));
    let index =
        "[{Effect: Allow, Action: dynamodb:Query, Resource: !Sub '${Journal.Arn}/index/agenda'}]";
    assert!(policy(index).allows(&access));
}

#[test]
fn a_query_whose_key_is_not_seen_is_refused_rather_than_guessed() {
    let body = json!({ "TableName": "Journal", "KeyConditionExpression": "other = :x" });
    let mut request = HttpRequest::new(SdkBody::from(body.to_string()));
    let target = "DynamoDB_20120810.Query";
    request.headers_mut().insert("x-amz-target", target);
    assert!(read(&request).is_err());
}

#[test]
fn batches_of_messages_are_judged_as_single_ones_and_a_denial_wins() {
    let body = json!({ "QueueUrl": "http://localhost/000000000000/Work", "Entries": [] });
    let access = asked("AmazonSQS.DeleteMessageBatch", body).remove(0);
    assert_eq!(access.action, "sqs:DeleteMessage");
    let allow = "{Effect: Allow, Action: 'sqs:*', Resource: !GetAtt Work.Arn}";
    let deny = "{Effect: Deny, Action: SQS:deletemessage, Resource: '*'}";
    assert!(policy(&format!("[{allow}]")).allows(&access));
    assert!(!policy(&format!("[{allow}, {deny}]")).allows(&access));
}

#[test]
fn a_grant_counts_its_calls_and_can_be_taken_away_alone() {
    let policy = policy(APPEND);
    let calls = [(put("slot#1"), 3)].into();
    let usage = policy.usage(&calls);
    let told: Vec<_> = usage
        .iter()
        .map(|(grant, calls)| (grant.to_string(), *calls))
        .collect();
    let expected = [
        ("dynamodb:BatchGetItem on Journal for entry#*", 0),
        ("dynamodb:BatchGetItem on Journal for slot#*", 0),
        ("dynamodb:PutItem on Journal for entry#*", 0),
        ("dynamodb:PutItem on Journal for slot#*", 3),
    ];
    assert_eq!(
        told,
        expected.map(|(grant, calls)| (grant.to_owned(), calls))
    );
    let used = usage.iter().find(|(_, calls)| **calls > 0).expect("one").0;
    let without = policy.without(used);
    assert!(!without.allows(&put("slot#1")));
    assert!(without.allows(&put("entry#1")));
}
