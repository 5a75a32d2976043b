//! SQS: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>.

mod messages;
mod queues;

use crate::check::Check;

/// All checks of SQS.
pub fn checks() -> Vec<Check> {
    [messages::checks(), queues::checks()].concat()
}
