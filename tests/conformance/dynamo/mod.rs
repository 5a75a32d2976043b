//! DynamoDB and DynamoDB Streams:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/>.

mod indexes;
mod partiql;
mod settings;
mod shards;
mod stream_records;
mod streams;
mod tables;
mod transactions;
mod ttl;

use crate::check::Check;

/// All checks of DynamoDB.
pub fn checks() -> Vec<Check> {
    [
        indexes::checks(),
        partiql::checks(),
        settings::checks(),
        stream_records::checks(),
        streams::checks(),
        tables::checks(),
        transactions::checks(),
        ttl::checks(),
    ]
    .concat()
}
