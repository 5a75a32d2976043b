//! Every function under its own role: what the template's policies do not allow is refused, in
//! whatever test it is called.

use callboard_host::{Resources, Roles};
use callboard_template::Reference;
use callboard_testkit::policy::{Guard, Ledger, Place, Policy};

/// The roles of the template that a house is started with. Calls of a function and of Lambda's
/// mappings for it go to `ledger` under the name of its binary.
pub fn guarded(ledger: &Ledger) -> Roles {
    let ledger = ledger.clone();
    Roles::new(move |role, sdk| {
        let lookup = lookup(role.resources);
        let guard = Guard::new(
            &role.function.binary,
            Policy::of(role.function, &lookup),
            Place::of(role.stack, &lookup),
            ledger.clone(),
        );
        guard.sdk_config(sdk)
    })
}

/// The value of a reference, for what exists here.
pub fn lookup(resources: &Resources) -> impl Fn(&Reference) -> Option<String> {
    |reference| resources.value(reference)
}

/// A ledger whose end tells of refusals that nobody expected.
pub struct Watched(pub Ledger);

impl Drop for Watched {
    fn drop(&mut self) {
        // A test that fails has said why.
        if !std::thread::panicking() {
            self.0.expect_no_denials();
        }
    }
}
