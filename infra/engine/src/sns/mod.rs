//! stub
use crate::messages::Messages;
use crate::wire::{Answer, unknown_json_operation};
pub(crate) fn answer(_: &Messages, _: Vec<(String, String)>) -> Answer { unknown_json_operation("SNS", "") }
