//! DynamoDB and DynamoDB Streams:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/>.

mod shards;
mod stream_records;
mod streams;
mod tables;

use crate::check::Check;

/// All checks of DynamoDB.
pub fn checks() -> Vec<Check> {
    [
        stream_records::checks(),
        streams::checks(),
        tables::checks(),
    ]
    .concat()
}
