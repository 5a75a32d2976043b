//! Publishes every public event of the journal's stream to its topic
