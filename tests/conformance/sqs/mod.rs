//! SQS: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>.

mod batches;
mod dead_letters;
mod deduplication;
mod fifo;
mod message_attributes;
mod messages;
mod moves;
mod pages;
mod permissions;
mod query;
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
        dead_letters::checks(),
        deduplication::checks(),
        fifo::checks(),
        message_attributes::checks(),
        messages::checks(),
        moves::checks(),
        permissions::checks(),
        query::checks(),
        queues::checks(),
        receiving::checks(),
        settings::checks(),
        tags::checks(),
        visibility::checks(),
    ]
    .concat()
}
