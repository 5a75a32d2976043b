//! A function's role, as the template has it, between the function and its services: what its
//! policy does not allow is refused as AWS refuses it, and what is called is kept.
//!
//! [`Policy`] is what a role may do, [`Access`] what a request asks for, [`Guard`] stands between,
//! and the [`Ledger`] has what was called and what was refused. [`Grant`]s compare the two: what a
//! policy allows and nobody calls.
//!
//! Of IAM this is what `infra/template.yaml` uses: inline policies of a role, `Allow` and `Deny`,
//! wildcards, and the conditions that `condition.rs` knows. No boundary, no session or resource
//! policy; whatever else the template should come to say makes [`Policy::of`] panic, so that it is
//! not passed over. Calls that Lambda makes itself for a role (logs, traces) do not come by here.

mod access;
mod answer;
mod condition;
mod dynamo;
mod grants;
mod guard;
mod ledger;
mod place;
mod rules;
#[cfg(test)]
mod tests;

pub use access::Access;
pub use grants::Grant;
pub use guard::Guard;
pub use ledger::{Denial, Ledger};
pub use place::{Lookup, Place};
pub use rules::Policy;
