//! SQS: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>.

mod batches;
mod message_attributes;
mod messages;
mod pages;
mod queues;
mod receiving;
mod settings;
mod tags;
mod visibility;

use crate::check::Check;

/// All checks of SQS.
pub fn checks() -> Vec<Check> {
    [
        batches::checks(),
        message_attributes::checks(),
        messages::checks(),
        queues::checks(),
        receiving::checks(),
        settings::checks(),
        tags::checks(),
        visibility::checks(),
    ]
    .concat()
}
