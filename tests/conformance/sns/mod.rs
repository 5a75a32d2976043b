//! SNS: <https://docs.aws.amazon.com/sns/latest/api/>.

mod batch;
mod delivery;
mod fifo;
mod filters_attributes;
mod filters_body;
mod publish;
mod signatures;
mod subscriptions;
mod support;
mod tags;
mod topics;
mod web;

use crate::check::Check;

/// All checks of SNS.
pub fn checks() -> Vec<Check> {
    [
        topics::checks(),
        tags::checks(),
        subscriptions::checks(),
        publish::checks(),
        batch::checks(),
        fifo::checks(),
        filters_attributes::checks(),
        filters_body::checks(),
        delivery::checks(),
        signatures::checks(),
        web::checks(),
    ]
    .concat()
}
