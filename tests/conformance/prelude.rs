//! What every file of checks uses.

#![allow(unused_imports, reason = "what a prelude offers, nobody must take")]

pub(crate) use crate::aws::{Aws, Queue, SOON, Table, Topic, borrowed, entries, with};
pub(crate) use crate::check::{Check, Failed, Result, checks, ensure, ensure_eq};
pub(crate) use crate::reply::{Element, Look, Reply, XmlReply};
pub(crate) use serde_json::{Value, json};
pub(crate) use std::time::Duration;
