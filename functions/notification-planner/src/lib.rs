//! Turns an event into the notifications that should follow from it
