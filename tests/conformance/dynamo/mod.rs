//! DynamoDB and DynamoDB Streams:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/>.

mod tables;

use crate::check::Check;

/// All checks of DynamoDB.
pub fn checks() -> Vec<Check> {
    [tables::checks()].concat()
}
