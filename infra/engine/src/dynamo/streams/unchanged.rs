//! A write that changes nothing leaves no record. The crate writes a `MODIFY` for it; two triggers
//! see to it that it stays unwritten, within the transaction of the write and without a look at
//! anything but the item itself.
//!
//! The first compares an item with the one it replaces and leaves a note when they are the same;
//! the second takes the note away together with the record. Attributes come from the crate in any
//! order, and so may the members of a set, so items are compared leaf by leaf, and only when
//! their sizes are equal: then one having all leaves of the other is enough.

use super::super::upkeep::quoted;
use dynoxide::Result;
use dynoxide::storage::Storage;

/// A note that is left from before belongs to no write.
const PREPARE: &str = "CREATE TABLE IF NOT EXISTS _callboard_unchanged (yes INTEGER); \
     DELETE FROM _callboard_unchanged; \
     CREATE TRIGGER IF NOT EXISTS _callboard_no_record BEFORE INSERT ON _stream_records \
     WHEN NEW.event_name = 'MODIFY' AND EXISTS (SELECT 1 FROM _callboard_unchanged) BEGIN \
     DELETE FROM _callboard_unchanged; SELECT RAISE(IGNORE); END";

/// The leaves of an item: where, of which type, what. Text directly in an array is a set's member,
/// and has no place within it.
const LEAVES: &str =
    "CASE WHEN typeof(key) = 'integer' AND type = 'text' THEN path ELSE fullkey END, type, atom";

/// Makes what the triggers of all tables share.
pub(super) fn prepare(storage: &Storage) -> Result<()> {
    Ok(storage.conn().execute_batch(PREPARE)?)
}

/// Begins to compare what is written into a table.
pub(super) fn watch(storage: &Storage, table: &str) -> Result<()> {
    let (trigger, items) = (trigger(table), quoted(table));
    Ok(storage.conn().execute_batch(&format!(
        "CREATE TRIGGER IF NOT EXISTS {trigger} BEFORE INSERT ON {items} WHEN EXISTS (\
         SELECT 1 FROM {items} was WHERE was.pk = NEW.pk AND was.sk = NEW.sk \
         AND was.item_size = NEW.item_size AND NOT EXISTS (\
         SELECT {LEAVES} FROM json_tree(was.item_json) \
         EXCEPT SELECT {LEAVES} FROM json_tree(NEW.item_json))) \
         BEGIN INSERT INTO _callboard_unchanged VALUES (1); END"
    ))?)
}

/// Ends it.
pub(super) fn unwatch(storage: &Storage, table: &str) -> Result<()> {
    let sql = format!("DROP TRIGGER IF EXISTS {}", trigger(table));
    Ok(storage.conn().execute_batch(&sql)?)
}

fn trigger(table: &str) -> String {
    quoted(&format!("_callboard_unchanged_{table}"))
}
