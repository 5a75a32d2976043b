//! Tests that span rooms live in `it`; this library is empty.
