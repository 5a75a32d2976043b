//! What a person can take, as a caller sends it, and who answers for them.

use callboard_contracts::RecipientId;
use callboard_contracts::waitlist::Preferences;
use callboard_domain::waitlist::Refusal;
use callboard_domain::waitlist::entry::Wishes;
use callboard_runtime::http::{Problem, parse_member};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::Deps;
use crate::answer::{refused, refused_at, unavailable};
use crate::contacts::Registration;
use crate::recipients::erased;

/// The body of `PUT …/preferences`: everything is replaced, so what is left out is taken back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Wishes")]
pub(crate) struct WishesBody {
    /// What the person can take; anything unless given.
    #[schemars(with = "Option<Preferences>")]
    preferences: Option<Value>,
    /// Whether an offer that fits is accepted at once.
    #[serde(default)]
    auto_accept: bool,
    /// Who is written to in the person's stead, such as a parent; must be registered.
    proxy_id: Option<RecipientId>,
}

impl WishesBody {
    pub(crate) const fn new(
        preferences: Option<Value>,
        auto_accept: bool,
        proxy_id: Option<RecipientId>,
    ) -> Self {
        Self {
            preferences,
            auto_accept,
            proxy_id,
        }
    }

    /// The wishes, if they are some and the person who answers is registered.
    pub(crate) async fn check(self, deps: &Deps) -> Result<Wishes, Problem> {
        if let Some(proxy) = &self.proxy_id {
            must_be_registered(deps, proxy, "/proxyId").await?;
        }
        Ok(Wishes {
            preferences: match &self.preferences {
                Some(value) => preferences(deps, value)?,
                None => Preferences::default(),
            },
            auto_accept: self.auto_accept,
            proxy_id: self.proxy_id,
        })
    }
}

fn preferences(deps: &Deps, value: &Value) -> Result<Preferences, Problem> {
    let faults = deps.schemas.preferences_faults("/preferences", value);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let preferences: Preferences = parse_member(value, "/preferences")?;
    if let Some(own) = &preferences.own_booking
        && own.swap
        && own.slot_id.is_none()
    {
        let message = "is needed for `swap`: only a booking of one of our slots can be given up";
        return Err(Problem::invalid_at(
            "/preferences/ownBooking/slotId",
            message,
        ));
    }
    Ok(preferences)
}

/// 422 with the pointer of the id if nobody can be told anything under it.
pub(crate) async fn must_be_registered(
    deps: &Deps,
    id: &RecipientId,
    pointer: &str,
) -> Result<(), Problem> {
    let registration = deps.contacts.registration(id).await;
    match registration.map_err(|error| unavailable(&error))? {
        Registration::Registered => Ok(()),
        Registration::Erased => Err(erased()),
        Registration::Unknown => Err(Problem {
            slug: "recipient-not-found",
            ..Problem::invalid_at(pointer, "names nobody; register the recipient first")
        }),
    }
}

/// An entry's refusal, with the pointer of the member that it is about.
pub(crate) fn refused_entry(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::ServiceName => refused_at("/service", refusal),
        Refusal::Preferences(field) => refused_at(format!("/preferences/{field}"), refusal),
        _ => refused(refusal),
    }
}
