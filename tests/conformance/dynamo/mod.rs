//! DynamoDB and DynamoDB Streams:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/>.

mod batches;
mod conditions;
mod data;
mod indexes;
mod items;
mod partiql;
mod query;
mod scan;
mod settings;
mod shards;
mod stream_records;
mod streams;
mod tables;
mod transactions;
mod ttl;
mod updates;
mod validation;
mod wire;

use crate::check::Check;

/// All checks of DynamoDB.
pub fn checks() -> Vec<Check> {
    [
        batches::checks(),
        conditions::checks(),
        indexes::checks(),
        items::checks(),
        partiql::checks(),
        query::checks(),
        scan::checks(),
        settings::checks(),
        stream_records::checks(),
        streams::checks(),
        tables::checks(),
        transactions::checks(),
        ttl::checks(),
        updates::checks(),
        validation::checks(),
        wire::checks(),
    ]
    .concat()
}
