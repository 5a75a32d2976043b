//! stub
use crate::messages::{Messages, StorageError};
use crate::wire::{Answer, unknown_json_operation};
#[derive(Debug, Default)]
pub(crate) struct Topics { pub(crate) touched: bool }
impl Topics { pub(crate) fn load(_: &rusqlite::Connection) -> Result<Topics, StorageError> { Ok(Topics::default()) } }
pub(crate) fn answer(_: &Messages, _: Vec<(String, String)>) -> Answer { unknown_json_operation("SNS", "") }
