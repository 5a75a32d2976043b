//! Tables with indexes, stream and TTL.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection as SdkProjection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription,
    TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use aws_smithy_types::error::operation::BuildError;
use callboard_template::{Index, KeySchema, Projection, Table};

use super::Provisioning;
use crate::error::{HostError, Place};
use crate::resources::{Resource, Resources};

/// Pause between looks at a table that is being made.
const POLL: Duration = Duration::from_millis(200);

/// Looks at a table that is being made: 2 minutes, several times what AWS needs.
const POLLS_MAX: u32 = 600;

impl Provisioning<'_> {
    pub(super) async fn tables(&self, resources: &mut Resources) -> Result<(), HostError> {
        let dynamodb = Client::new(self.sdk);
        for table in &self.stack.tables {
            let name = self.name(table.name.as_ref(), &table.logical_id, false);
            let maker = TableMaker {
                dynamodb: &dynamodb,
                table,
                name: &name,
                place: self.place(&table.logical_id, table.position),
            };
            let description = maker.create_or_find().await?;
            maker.time_to_live().await?;
            let resource = Resource::Table {
                name: name.clone(),
                arn: description.table_arn.unwrap_or_default(),
                stream_arn: table.stream.and(description.latest_stream_arn),
            };
            resources.insert(&table.logical_id, resource);
        }
        Ok(())
    }
}

struct TableMaker<'a> {
    dynamodb: &'a Client,
    table: &'a Table,
    name: &'a str,
    place: Place<'a>,
}

impl TableMaker<'_> {
    async fn create_or_find(&self) -> Result<TableDescription, HostError> {
        match self.describe().await? {
            None => {
                self.create().await?;
                self.active().await
            }
            Some(found) => {
                self.check_key(&found)?;
                self.add_missing_indexes(&found).await?;
                self.add_missing_stream(&found).await?;
                self.active().await
            }
        }
    }

    /// `None` if there is no such table.
    async fn describe(&self) -> Result<Option<TableDescription>, HostError> {
        let answer = self.dynamodb.describe_table().table_name(self.name).send();
        match answer.await {
            Ok(answer) => Ok(answer.table),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(DescribeTableError::ResourceNotFoundException(_))
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.place.failed("describe the table")(error)),
        }
    }

    async fn active(&self) -> Result<TableDescription, HostError> {
        for _ in 0..POLLS_MAX {
            if let Some(table) = self.describe().await?
                && table.table_status == Some(TableStatus::Active)
            {
                return Ok(table);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self
            .place
            .refused("create the table", "it did not become active in time"))
    }

    async fn create(&self) -> Result<(), HostError> {
        let action = "create the table";
        let table = self.table;
        let indexes = table
            .indexes
            .iter()
            .map(index)
            .collect::<Result<Vec<_>, _>>()
            .map_err(self.place.failed(action))?;
        self.dynamodb
            .create_table()
            .table_name(self.name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(self.definitions()?))
            .set_key_schema(Some(key(&table.key).map_err(self.place.failed(action))?))
            .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
            .set_stream_specification(self.stream()?)
            .send()
            .await
            .map(|_| ())
            .map_err(self.place.failed(action))
    }

    fn definitions(&self) -> Result<Vec<AttributeDefinition>, HostError> {
        self.table
            .attributes
            .iter()
            .map(|(name, kind)| {
                AttributeDefinition::builder()
                    .attribute_name(name)
                    .attribute_type(ScalarAttributeType::from(kind.as_str()))
                    .build()
            })
            .collect::<Result<_, _>>()
            .map_err(self.place.failed("define the table's attributes"))
    }

    fn stream(&self) -> Result<Option<StreamSpecification>, HostError> {
        self.table
            .stream
            .map(|view| {
                StreamSpecification::builder()
                    .stream_enabled(true)
                    .stream_view_type(StreamViewType::from(view.as_str()))
                    .build()
            })
            .transpose()
            .map_err(self.place.failed("define the table's stream"))
    }

    /// A key cannot be changed.
    fn check_key(&self, found: &TableDescription) -> Result<(), HostError> {
        let wanted = key(&self.table.key).map_err(self.place.failed("define the table's key"))?;
        if found.key_schema() == wanted {
            return Ok(());
        }
        Err(self.place.problem(
            "Properties.KeySchema",
            format!(
                "the table `{}` exists with another key, which cannot be changed: \
                 delete it (or the state directory) to start afresh",
                self.name
            ),
        ))
    }

    /// One at a time, as DynamoDB asks. Indexes that the template dropped stay.
    async fn add_missing_indexes(&self, found: &TableDescription) -> Result<(), HostError> {
        let action = "add an index to the table";
        for wanted in &self.table.indexes {
            let exists = found
                .global_secondary_indexes()
                .iter()
                .any(|index| index.index_name() == Some(wanted.name.as_str()));
            if exists {
                continue;
            }
            let create = CreateGlobalSecondaryIndexAction::builder()
                .index_name(&wanted.name)
                .set_key_schema(Some(key(&wanted.key).map_err(self.place.failed(action))?))
                .projection(projection(&wanted.projection))
                .build()
                .map_err(self.place.failed(action))?;
            self.dynamodb
                .update_table()
                .table_name(self.name)
                .set_attribute_definitions(Some(self.definitions()?))
                .global_secondary_index_updates(
                    GlobalSecondaryIndexUpdate::builder().create(create).build(),
                )
                .send()
                .await
                .map_err(self.place.failed(action))?;
            self.active().await?;
        }
        Ok(())
    }

    async fn add_missing_stream(&self, found: &TableDescription) -> Result<(), HostError> {
        let enabled = found
            .stream_specification()
            .is_some_and(|stream| stream.stream_enabled);
        let Some(stream) = self.stream()?.filter(|_| !enabled) else {
            return Ok(());
        };
        self.dynamodb
            .update_table()
            .table_name(self.name)
            .stream_specification(stream)
            .send()
            .await
            .map(|_| ())
            .map_err(self.place.failed("enable the table's stream"))
    }

    /// TTL is set once: asking for what is there already would be refused.
    async fn time_to_live(&self) -> Result<(), HostError> {
        let action = "set the table's time to live";
        let Some(attribute) = &self.table.ttl_attribute else {
            return Ok(());
        };
        let found = self
            .dynamodb
            .describe_time_to_live()
            .table_name(self.name)
            .send()
            .await
            .map_err(self.place.failed(action))?
            .time_to_live_description;
        let enabled = found.is_some_and(|ttl| {
            matches!(
                ttl.time_to_live_status,
                Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
            )
        });
        if enabled {
            return Ok(());
        }
        let specification = TimeToLiveSpecification::builder()
            .enabled(true)
            .attribute_name(attribute)
            .build()
            .map_err(self.place.failed(action))?;
        self.dynamodb
            .update_time_to_live()
            .table_name(self.name)
            .time_to_live_specification(specification)
            .send()
            .await
            .map(|_| ())
            .map_err(self.place.failed(action))
    }
}

fn key(key: &KeySchema) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |name: &String, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
    };
    let mut elements = vec![element(&key.hash, KeyType::Hash)?];
    if let Some(range) = &key.range {
        elements.push(element(range, KeyType::Range)?);
    }
    Ok(elements)
}

fn index(index: &Index) -> Result<GlobalSecondaryIndex, BuildError> {
    GlobalSecondaryIndex::builder()
        .index_name(&index.name)
        .set_key_schema(Some(key(&index.key)?))
        .projection(projection(&index.projection))
        .build()
}

fn projection(wanted: &Projection) -> SdkProjection {
    let builder = SdkProjection::builder();
    match wanted {
        Projection::All => builder.projection_type(ProjectionType::All),
        Projection::KeysOnly => builder.projection_type(ProjectionType::KeysOnly),
        Projection::Include(attributes) => builder
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(attributes.clone())),
    }
    .build()
}
