//! Answers questions about waitlists, slots, notifications and timelines over HTTP
