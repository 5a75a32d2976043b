//! The older Query protocol, for clients that still speak it: forms in, XML out. A form becomes
//! the JSON of the same operation and its answer becomes XML, so that both have the same rules.

use super::refusal::SqsError;
use super::{Outcome, outcome, query_json};
use crate::ids::random_id;
use crate::messages::Messages;
use crate::wire::{Answer, Call, FORM_PARTS_MAX};
use serde_json::{Map, Value};

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
/// The versions that SQS has had. SNS's is 2010-03-31.
const VERSIONS: [&str; 4] = ["2012-11-05", "2011-10-01", "2009-02-01", "2008-01-01"];
/// Lists: their name in forms and in XML, and in JSON.
const LISTS: [(&str, &str); 17] = [
    ("AWSAccountId", "AWSAccountIds"),
    ("ActionName", "Actions"),
    ("StringListValue", "StringListValues"),
    ("BinaryListValue", "BinaryListValues"),
    ("AttributeName", "AttributeNames"),
    ("MessageAttributeName", "MessageAttributeNames"),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames"),
    ("TagKey", "TagKeys"),
    ("SendMessageBatchRequestEntry", "Entries"),
    ("DeleteMessageBatchRequestEntry", "Entries"),
    ("ChangeMessageVisibilityBatchRequestEntry", "Entries"),
    ("QueueUrl", "QueueUrls"),
    ("QueueUrl", "queueUrls"),
    ("Message", "Messages"),
    ("BatchResultErrorEntry", "Failed"),
    ("ListMessageMoveTasksResultEntry", "Results"),
    ("", "Successful"),
];
/// Maps: their name in forms and in XML, in JSON, and what a key and a value are called.
pub(super) const MAPS: [(&str, &str, &str, &str); 4] = [
    ("Attribute", "Attributes", "Name", "Value"),
    ("MessageAttribute", "MessageAttributes", "Name", "Value"),
    (
        "MessageSystemAttribute",
        "MessageSystemAttributes",
        "Name",
        "Value",
    ),
    ("Tag", "Tags", "Key", "Value"),
];
/// Operations that are not a queue's.
const OF_NO_QUEUE: [&str; 2] = ["CreateQueue", "ListQueues"];
/// Operations whose answer has no result, not even an empty one.
pub(super) const WITHOUT_RESULT: [&str; 9] = [
    "AddPermission",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "DeleteQueue",
    "PurgeQueue",
    "RemovePermission",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
];
const NUMBERS: [&str; 6] = [
    "DelaySeconds",
    "MaxNumberOfMessages",
    "MaxNumberOfMessagesPerSecond",
    "MaxResults",
    "VisibilityTimeout",
    "WaitTimeSeconds",
];

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(field, _)| field == name);
    found.map(|(_, value)| value.as_str())
}

/// Whether a form is for SQS: by its version, by the queue in its path, or else by its action, all
/// of which but two name queues or messages, as none of SNS's does.
pub(crate) fn is_for_sqs(fields: &[(String, String)], path: &str) -> bool {
    match field(fields, "Version") {
        Some(version) => VERSIONS.contains(&version),
        None if names_queue(path) => true,
        None => field(fields, "Action")
            .is_some_and(|action| action.contains("Queue") || action.contains("Message")),
    }
}

/// Whether a path is a queue URL's: an account and a name.
fn names_queue(path: &str) -> bool {
    path.trim_matches('/').contains('/')
}

/// Answers one call. The path names the queue if the form does not.
pub(crate) async fn answer(
    messages: &Messages,
    fields: Vec<(String, String)>,
    call: &Call,
) -> Answer {
    let path = call.path.as_str();
    let in_json = call.header("accept") == Some("application/json");
    let action = field(&fields, "Action").unwrap_or_default().to_owned();
    let result = match request(fields, path) {
        // What is asked of no queue is not asked at one.
        Ok(_) if names_queue(path) && OF_NO_QUEUE.contains(&action.as_str()) => None,
        Ok(body) => outcome(messages, &action, body.as_bytes()).await,
        Err(error) => Some(Err(error)),
    };
    let result = result.unwrap_or_else(|| {
        tracing::warn!(
            service = "SQS",
            operation = action,
            "an operation that the engine does not have was called"
        );
        Err(SqsError::invalid_action(&action))
    });
    let answered = result.and_then(|json| {
        if in_json {
            query_json::success(&action, &json)
        } else {
            success(&action, &json).map(|xml| Answer::xml(200, xml))
        }
    });
    answered.unwrap_or_else(|error| {
        tracing::debug!(action, code = error.code, "SQS refused a call");
        if in_json {
            query_json::refusal(&error)
        } else {
            refusal(&error)
        }
    })
}

/// A form as the JSON of the same operation.
fn request(fields: Vec<(String, String)>, path: &str) -> Outcome<String> {
    let mut tree = Map::new();
    for (name, value) in fields {
        if name == "Action" || name == "Version" || name.starts_with("X-Amz-") {
            continue;
        }
        put(&mut tree, &name, value);
    }
    if !tree.contains_key("QueueUrl") && names_queue(path) {
        tree.insert("QueueUrl".to_owned(), Value::from(path));
    }
    super::write(&named(tree)?)
}

/// Puts a value at a dotted name. What is at once a value and a branch is left as it came first.
fn put(tree: &mut Map<String, Value>, name: &str, value: String) {
    let mut parts = name.splitn(FORM_PARTS_MAX, '.').peekable();
    let mut at = tree;
    while let Some(part) = parts.next() {
        let entry = at.entry(part);
        if parts.peek().is_none() {
            entry.or_insert(Value::from(value));
            return;
        }
        match entry.or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(branch) => at = branch,
            _ => return,
        }
    }
}

/// A branch with its lists, maps and numbers under the names that JSON has for them.
fn named(tree: Map<String, Value>) -> Outcome<Value> {
    let mut json = Map::new();
    for (name, value) in tree {
        let list = LISTS
            .iter()
            .find(|(form, _)| *form == name && name != "QueueUrl" && name != "Message");
        let map = MAPS.iter().find(|(form, ..)| *form == name);
        if let Some((_, list)) = list {
            let elements = elements(value).into_iter().map(branch);
            json.insert((*list).to_owned(), elements.collect::<Outcome<_>>()?);
        } else if let Some((_, map, key, content)) = map {
            let mut entries = Map::new();
            for mut entry in elements(value) {
                if let Some(Value::String(name)) = entry.get(*key).cloned() {
                    let content = entry.get_mut(*content).map(Value::take);
                    let content = content.unwrap_or_else(|| Value::from(""));
                    entries.insert(name, branch(content)?);
                }
            }
            json.insert((*map).to_owned(), Value::Object(entries));
        } else if let (true, Value::String(text)) = (NUMBERS.contains(&name.as_str()), &value) {
            let number: i64 = text
                .parse()
                .map_err(|_| SqsError::invalid_value(text, &name, "Must be an integer."))?;
            json.insert(name, Value::from(number));
        } else {
            json.insert(name, value);
        }
    }
    Ok(Value::Object(json))
}

fn branch(value: Value) -> Outcome<Value> {
    match value {
        Value::Object(tree) => named(tree),
        other => Ok(other),
    }
}

/// The elements of a list by their numbers. One without a number is a list of one.
fn elements(value: Value) -> Vec<Value> {
    let branch = match value {
        Value::Object(branch) => branch,
        one => return vec![one],
    };
    if !branch.keys().all(|key| key.parse::<u64>().is_ok()) {
        return vec![Value::Object(branch)];
    }
    let mut numbered: Vec<(u64, Value)> = branch
        .into_iter()
        .filter_map(|(key, value)| Some((key.parse().ok()?, value)))
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, value)| value).collect()
}

fn success(action: &str, json: &str) -> Outcome<String> {
    let answer: Map<String, Value> =
        serde_json::from_str(json).map_err(|error| SqsError::internal(&error))?;
    let mut result = String::new();
    if !WITHOUT_RESULT.contains(&action) {
        element(&mut result, &format!("{action}Result"), |xml| {
            members(xml, action, &answer);
        });
    }
    Ok(format!(
        "<?xml version=\"1.0\"?><{action}Response xmlns=\"{NAMESPACE}\">{result}\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
        random_id()
    ))
}

/// A refusal of a call.
pub(crate) fn refusal(error: &SqsError) -> Answer {
    let mut xml = String::new();
    element(&mut xml, "Error", |xml| {
        text(xml, "Type", error.fault());
        text(xml, "Code", error.code);
        text(xml, "Message", error.query_message());
        xml.push_str("<Detail/>");
    });
    Answer::xml(
        error.query_status(),
        format!(
            "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"{NAMESPACE}\">{xml}<RequestId>{}\
             </RequestId></ErrorResponse>",
            random_id()
        ),
    )
}

fn members(xml: &mut String, action: &str, answer: &Map<String, Value>) {
    for (name, value) in answer {
        let list = LISTS.iter().find(|(_, json)| json == name);
        let map = MAPS.iter().find(|(_, json, ..)| json == name);
        match value {
            Value::Array(values) => {
                let name = match list {
                    Some(("", _)) => format!("{action}ResultEntry"),
                    Some((name, _)) => (*name).to_owned(),
                    None => name.clone(),
                };
                for value in values {
                    member(xml, action, &name, value);
                }
            }
            Value::Object(entries) if map.is_some() => {
                let (name, _, key, content) = map.copied().unwrap_or_default();
                for (entry, value) in entries {
                    element(xml, name, |xml| {
                        text(xml, key, entry);
                        member(xml, action, content, value);
                    });
                }
            }
            value => member(xml, action, name, value),
        }
    }
}

fn member(xml: &mut String, action: &str, name: &str, value: &Value) {
    match value {
        Value::Object(inner) => element(xml, name, |xml| members(xml, action, inner)),
        Value::String(value) => text(xml, name, value),
        other => text(xml, name, &other.to_string()),
    }
}

fn element(xml: &mut String, name: &str, fill: impl FnOnce(&mut String)) {
    xml.push_str(&format!("<{name}>"));
    let filled_from = xml.len();
    fill(xml);
    if xml.len() == filled_from {
        xml.truncate(filled_from - 1);
        xml.push_str("/>");
    } else {
        xml.push_str(&format!("</{name}>"));
    }
}

fn text(xml: &mut String, name: &str, text: &str) {
    element(xml, name, |xml| {
        for c in text.chars() {
            match c {
                '&' => xml.push_str("&amp;"),
                '<' => xml.push_str("&lt;"),
                '>' => xml.push_str("&gt;"),
                '"' => xml.push_str("&quot;"),
                // A parser would make a line feed of it.
                '\r' => xml.push_str("&#xD;"),
                c => xml.push(c),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(form: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(form.as_bytes())
            .into_owned()
            .collect()
    }

    #[test]
    fn forms_are_told_apart_by_version_and_else_by_action() {
        for form in ["Action=SendMessage&Version=2012-11-05", "Action=ListQueues"] {
            assert!(is_for_sqs(&fields(form), "/"), "{form}");
        }
        for form in [
            "Action=AddPermission&Version=2010-03-31",
            "Action=Publish&Message=x",
            "Action=AddPermission",
        ] {
            assert!(!is_for_sqs(&fields(form), "/"), "{form}");
        }
        let at_queue = "/000000000000/letters";
        assert!(is_for_sqs(&fields("Action=AddPermission"), at_queue));
    }

    #[test]
    fn a_form_becomes_the_json_of_its_operation() {
        let form = "Action=SendMessageBatch&SendMessageBatchRequestEntry.2.Id=b\
             &SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.DelaySeconds=5\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=k.x\
             &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
             &AttributeName=All&Attribute.Name=VisibilityTimeout&Attribute.Value=7";
        let json = request(fields(form), "/000000000000/letters").expect("read");
        let json: Value = serde_json::from_str(&json).expect("JSON");
        let expected = serde_json::json!({
            "QueueUrl": "/000000000000/letters",
            "AttributeNames": ["All"],
            "Attributes": {"VisibilityTimeout": "7"},
            "Entries": [
                {"Id": "a", "DelaySeconds": 5,
                 "MessageAttributes": {"k.x": {"DataType": "String"}}},
                {"Id": "b"},
            ],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_name_of_a_million_parts_is_no_deep_tree() {
        let name = "a.".repeat(1_000_000);
        let json = request(vec![(name, "x".to_owned())], "/").expect("read");
        assert_eq!(json.matches('{').count(), FORM_PARTS_MAX);
    }

    #[test]
    fn an_answer_becomes_flat_lists_in_xml() {
        let json = r#"{"Successful":[{"Id":"a","MessageId":"1"}],"Failed":[{"Id":"b","SenderFault":true}]}"#;
        let xml = success("SendMessageBatch", json).expect("written");
        assert!(xml.contains(
            "<SendMessageBatchResult><BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault>\
             </BatchResultErrorEntry><SendMessageBatchResultEntry><Id>a</Id><MessageId>1</MessageId>\
             </SendMessageBatchResultEntry></SendMessageBatchResult>"
        ), "{xml}");
    }
}
