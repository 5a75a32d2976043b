//! Reads `AWS::DynamoDB::Table`.

use crate::problem::{Collector, Position};
use crate::stack::{AttributeType, Index, KeySchema, Projection, StreamView, Table};
use crate::value::{self, Fields, Value};

/// Global secondary indexes per table that DynamoDB allows by default.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>
const INDEXES_MAX: usize = 20;

pub(crate) fn read(
    logical_id: &str,
    position: Position,
    mut fields: Fields<'_>,
    problems: &Collector,
) -> Option<Table> {
    let name = fields.text("TableName");
    fields.required_word("BillingMode", &["PAY_PER_REQUEST"]);
    let attributes: Vec<_> = fields
        .list("AttributeDefinitions")
        .into_iter()
        .filter_map(|item| attribute(item, problems))
        .collect();
    let key = key_schema(&mut fields, problems);
    let indexes: Vec<Index> = fields
        .list("GlobalSecondaryIndexes")
        .into_iter()
        .filter_map(|item| index(item, problems))
        .collect();
    if indexes.len() > INDEXES_MAX {
        fields.problem(format!("has more than {INDEXES_MAX} indexes"));
    }
    let stream = fields.map("StreamSpecification").and_then(stream_view);
    let ttl_attribute = fields.map("TimeToLiveSpecification").and_then(time_to_live);
    let table = Table {
        logical_id: logical_id.to_owned(),
        position,
        name,
        attributes,
        key: key?,
        indexes,
        stream,
        ttl_attribute,
    };
    check_keys(&table, &fields);
    fields.finish();
    Some(table)
}

fn attribute(item: Value, problems: &Collector) -> Option<(String, AttributeType)> {
    let mut fields = Fields::of(item, problems)?;
    let name = fields.required_text("AttributeName");
    let kind = fields.required_word("AttributeType", &["S", "N", "B"]);
    fields.finish();
    let kind = match kind? {
        "S" => AttributeType::String,
        "N" => AttributeType::Number,
        _ => AttributeType::Binary,
    };
    Some((name?, kind))
}

fn key_schema(fields: &mut Fields<'_>, problems: &Collector) -> Option<KeySchema> {
    let schema = fields.required("KeySchema")?;
    let (at, path) = (schema.at, schema.path.clone());
    let (mut hash, mut range) = (None, None);
    for item in value::list(schema, problems) {
        let mut part = Fields::of(item, problems)?;
        let name = part.required_text("AttributeName");
        match part.required_word("KeyType", &["HASH", "RANGE"]) {
            Some("HASH") => hash = name,
            Some(_) => range = name,
            None => {}
        }
        part.finish();
    }
    if hash.is_none() {
        problems.add(at, &path, "a key needs an attribute of KeyType HASH");
    }
    Some(KeySchema { hash: hash?, range })
}

fn index(item: Value, problems: &Collector) -> Option<Index> {
    let mut fields = Fields::of(item, problems)?;
    let name = fields.required_text("IndexName");
    let key = key_schema(&mut fields, problems);
    let projection = fields
        .required("Projection")
        .and_then(|value| projection(value, problems));
    fields.finish();
    Some(Index {
        name: name?,
        key: key?,
        projection: projection?,
    })
}

fn projection(value: Value, problems: &Collector) -> Option<Projection> {
    let mut fields = Fields::of(value, problems)?;
    let kind = fields.required_word("ProjectionType", &["ALL", "KEYS_ONLY", "INCLUDE"]);
    let included = fields.list("NonKeyAttributes");
    let projection = match kind {
        Some("ALL") => Some(Projection::All),
        Some("KEYS_ONLY") => Some(Projection::KeysOnly),
        Some(_) => Some(Projection::Include(
            included
                .iter()
                .filter_map(|item| value::text(item, problems))
                .collect(),
        )),
        None => None,
    };
    fields.finish();
    projection
}

fn stream_view(mut fields: Fields<'_>) -> Option<StreamView> {
    let views = ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"];
    let view = fields.required_word("StreamViewType", &views);
    fields.finish();
    Some(match view? {
        "KEYS_ONLY" => StreamView::KeysOnly,
        "NEW_IMAGE" => StreamView::NewImage,
        "OLD_IMAGE" => StreamView::OldImage,
        _ => StreamView::NewAndOldImages,
    })
}

fn time_to_live(mut fields: Fields<'_>) -> Option<String> {
    let name = fields.required_text("AttributeName");
    let enabled = fields.flag("Enabled");
    fields.finish();
    name.filter(|_| enabled == Some(true))
}

/// DynamoDB refuses a key whose attribute is undefined, and a definition that no key uses.
fn check_keys(table: &Table, fields: &Fields<'_>) {
    let mut used: Vec<&str> = Vec::new();
    for key in std::iter::once(&table.key).chain(table.indexes.iter().map(|index| &index.key)) {
        used.push(&key.hash);
        used.extend(key.range.as_deref());
    }
    for name in &used {
        if !table.attributes.iter().any(|(defined, _)| defined == name) {
            fields.problem(format!(
                "key attribute `{name}` is not in AttributeDefinitions"
            ));
        }
    }
    for (name, _) in &table.attributes {
        if !used.contains(&name.as_str()) {
            fields.problem(format!("`{name}` is defined, but no key uses it"));
        }
    }
}
