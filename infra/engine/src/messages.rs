//! stub
use crate::Clock;
use crate::config::EngineError;
use std::path::PathBuf;
#[derive(Debug)]
pub(crate) struct Messages {}
impl Messages {
    pub(crate) fn open(_: Option<PathBuf>, _: Clock, _: &str, _: &str, _: &str) -> Result<Messages, EngineError> { Ok(Messages {}) }
    pub(crate) fn set_public_url(&self, _: String) {}
    pub(crate) fn upkeep(&self) {}
}
