//! One binary for all tests that span rooms.
//!
//! | module | what it shows |
//! |---|---|
//! | [`architecture`] | dependencies point down only; files stay in their rooms |
//! | [`template`] | the topology that runs is the template's |
//! | [`alarms`] | alarms listen to what the functions write |
//! | [`end_to_end`] | the demo's story, orders, poison, and who gets no mail, as seen from outside (I8, I9) |
//! | [`answers`] | links and answers: scanners, forgeries, too late, at once (I1, I2, I3) |
//! | [`calendars`] | one clock and one appointment in mails, on pages and in calendar files |
//! | [`redelivery`] | every message twice, out of order, or again at the end: the same outcome (I6, I7, I10, I11) |
//! | [`broadcast`] | a slot told to all at once: each hears of it once, the first has it (I1, I6, I7) |
//! | [`practice`] | the practice's own calendar says what is free and booked, and hears what becomes of it (I1, I12) |
//! | [`swap`] | a booking is given up for a sooner slot: chains, races, repetitions (I1, I2, I5) |
//! | [`figures`] | a morning played by hand, and the figures of it |
//! | [`crowd`] | many at once: fifty slots and five hundred people, two hundred answers (I1 to I5) |
//! | [`offer_cycle`] | write units of a cycle, time to the next offer, nobody passed over (I1 to I5) |
//! | [`virtual_time`] | deadlines to the millisecond (I3, I5) |
//! | [`sweep`] | deadlines without any message: the agenda alone (I1, I3, I5) |
//! | [`explained`] | where somebody stands, and why others were asked first (I4, I12) |
//! | [`faults`] | lost answers, throttles, outages, poison in the stream (I6, I9, I11) |
//! | [`sending`] | one mail under its lease: cancels in between, unknown outcomes (I7, I13) |
//! | [`least_privilege`] | a function may do what it does, and nothing else; every house is held to its roles |
//! | [`openapi`] | the API's document is made of the code, and is the API that is served |
//! | [`privacy`] | a canary searched for everywhere (I12) |
//! | [`versions`] | filters take events in any version; the upgrade test's next version can be made |
//!
//! [`house`] is the system under test, in two builds: as `callboard dev` starts it, on sockets
//! and real time, and in one thread on virtual time, with faults between every function and its
//! services. [`story`] is what people do in it, [`evidence`] what it leaves behind. No test
//! sleeps: what takes time is waited for with a deadline.

mod alarms;
mod answers;
mod architecture;
mod broadcast;
mod calendars;
mod crowd;
mod end_to_end;
mod evidence;
mod explained;
mod faults;
mod figures;
mod house;
mod least_privilege;
mod offer_cycle;
mod openapi;
mod practice;
mod privacy;
mod redelivery;
mod sending;
mod story;
mod swap;
mod sweep;
mod template;
mod versions;
mod virtual_time;
