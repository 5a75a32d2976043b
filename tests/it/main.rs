//! One binary for all tests that span rooms.

mod architecture;
