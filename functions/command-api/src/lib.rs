//! Accepts commands and foreign events over HTTP and commits them to the journal
