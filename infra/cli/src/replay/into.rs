//! A table of its own for a view: one like `views`, with nothing else in it.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    SseSpecification, TableDescription, Tag,
};
use aws_smithy_types::error::display::DisplayErrorContext;
use callboard_runtime::fault::AwsFault;
use callboard_runtime::scan::{self, Segment};

use super::walk::owners;
use crate::error::CliError;
use crate::target::Target;

/// The tag of a table made here; its value is the view's name.
const TAG: &str = "callboard:view";

/// How long DynamoDB may take to make a table; it usually takes some ten seconds.
const MADE_WITHIN: Duration = Duration::from_secs(120);

/// Both keys are text.
const KEYS: [(&str, KeyType); 2] = [("pk", KeyType::Hash), ("sk", KeyType::Range)];

/// Whether the table `name` is there, and nothing stands in it but rows of views.
///
/// # Errors
/// [`CliError::Input`] for a table of the running system, [`CliError::Refused`] for one with
/// something else in it.
pub(super) async fn is_there(
    target: &Target,
    client: &Client,
    name: &str,
) -> Result<bool, CliError> {
    if target.tables().any(|table| table == name) {
        return Err(CliError::Input(format!(
            "{name} is a table of the running system; --into is for another one"
        )));
    }
    let described = client.describe_table().table_name(name).send().await;
    let table = match described {
        Ok(described) => described.table,
        Err(error) => {
            return match error.as_service_error() {
                Some(error) if error.is_resource_not_found_exception() => Ok(false),
                _ => Err(AwsFault::of("DescribeTable", error).into()),
            };
        }
    };
    if !table.as_ref().is_some_and(has_our_keys) {
        return Err(CliError::Refused(format!(
            "{name} is no table of views: its keys are not pk and sk, both of them text"
        )));
    }
    only_views(client, name).await?;
    Ok(true)
}

fn has_our_keys(table: &TableDescription) -> bool {
    let keys = table.key_schema();
    let attributes = table.attribute_definitions();
    keys.len() == KEYS.len()
        && KEYS.iter().all(|(name, key_type)| {
            keys.iter()
                .any(|key| key.attribute_name == *name && key.key_type == *key_type)
                && attributes.iter().any(|it| {
                    it.attribute_name == *name && it.attribute_type == ScalarAttributeType::S
                })
        })
}

async fn only_views(client: &Client, name: &str) -> Result<(), CliError> {
    let all = Segment {
        table: name,
        number: 0,
        of: 1,
        prefixes: &[],
    };
    let mut after = None;
    loop {
        let page = scan::page(client, all, after.as_ref()).await?;
        if owners(&page.items).contains(&None) {
            return Err(CliError::Refused(format!(
                "{name} holds something else than views; nothing was changed"
            )));
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Makes a table like `views`, paid by request, tagged, and waits until it may be used.
///
/// # Errors
/// [`CliError::Aws`] when DynamoDB refuses, [`CliError::Refused`] when it takes too long.
pub(super) async fn make(client: &Client, name: &str, view: &str) -> Result<(), CliError> {
    let mut call = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .sse_specification(SseSpecification::builder().enabled(true).build());
    for (attribute, key_type) in KEYS {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder()
            .attribute_name(attribute)
            .key_type(key_type);
        call = call
            .attribute_definitions(definition.build().expect("name and type are set"))
            .key_schema(key.build().expect("name and type are set"));
    }
    let tag = Tag::builder().key(TAG).value(view).build();
    call.tags(tag.expect("key and value are set"))
        .send()
        .await
        .map_err(|error| AwsFault::of("CreateTable", error))?;
    let made = client.wait_until_table_exists().table_name(name);
    let made = made.wait(MADE_WITHIN).await;
    made.map(drop).map_err(|error| {
        let error = DisplayErrorContext(&error);
        CliError::Refused(format!("{name} was made and cannot be used yet: {error}"))
    })
}
