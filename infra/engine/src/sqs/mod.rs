//! stub
use crate::messages::Messages;
use crate::wire::{Answer, unknown_json_operation};
pub(crate) async fn answer(_: &Messages, operation: &str, _: &[u8]) -> Answer { unknown_json_operation("SQS", operation) }
