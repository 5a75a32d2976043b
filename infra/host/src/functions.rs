//! The functions of this repository, by the names that the template has for them.

use crate::registry::Registry;

macro_rules! registry_of {
    ($($binary:literal => $function:ident),+ $(,)?) => {
        Registry::new()$(.with($binary, |vars, sdk| async move { $function::build(&vars, &sdk).await }))+
    };
}

impl Registry {
    /// All functions of this repository. One more is one more line here and one in the
    /// manifest.
    #[must_use]
    pub fn standard() -> Self {
        registry_of! {
            "command-api" => command_api,
            "query-api" => query_api,
            "outbox-relay" => outbox_relay,
            "waitlist-cascade" => waitlist_cascade,
            "waitlist-projector" => waitlist_projector,
            "deadline-clock" => deadline_clock,
            "calendar-importer" => calendar_importer,
            "notification-planner" => notification_planner,
            "email-sender" => email_sender,
        }
    }
}
