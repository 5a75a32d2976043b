//! One binary for all tests that span rooms.
//!
//! [`house`] is the system under test, in two builds: as `callboard dev` starts it, on sockets
//! and real time, and in one thread on virtual time, with faults between every function and its
//! services. [`story`] is what people do in it, [`evidence`] what it leaves behind. No test
//! sleeps: what takes time is waited for with a deadline.

mod architecture;
mod end_to_end;
mod evidence;
mod faults;
mod house;
mod privacy;
mod redelivery;
mod story;
mod template;
mod virtual_time;
