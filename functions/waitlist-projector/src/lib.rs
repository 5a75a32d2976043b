//! Keeps the waitlist's views up to date from the journal
