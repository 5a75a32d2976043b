//! What an offer has to do with another appointment of the same person's.

use callboard_contracts::Timestamp;
use callboard_domain::when::Zone;
use schemars::JsonSchema;
use serde::Serialize;

use super::time;

/// What becomes of the other appointment, or became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Other {
    /// It is given up with an acceptance.
    WouldBeGivenUp {
        /// When it starts, as the person said.
        starts_at: Timestamp,
    },
    /// It was given up with the acceptance.
    GivenUp {
        /// When it would have started.
        starts_at: Timestamp,
    },
    /// It should have been given up with the acceptance, and is as it was.
    Kept,
    /// It was taken, and this one given up for it.
    TakenInstead {
        /// When it starts.
        starts_at: Timestamp,
    },
}

impl Other {
    pub(super) fn sentence(self, zone: &Zone) -> String {
        let told = |at: Timestamp| {
            let told = zone.tell(at);
            told.map_or_else(|| at.to_string(), |told| time(at, &told.to_string()))
        };
        let text = match self {
            Self::WouldBeGivenUp { starts_at } => format!(
                "As you asked, we give up your other appointment, on {}, if you take this one.",
                told(starts_at)
            ),
            Self::GivenUp { starts_at } => format!(
                "As you asked, your other appointment, on {}, was given up for it.",
                told(starts_at)
            ),
            Self::Kept => "You had asked us to give up another appointment for it. \
                We could not, so that one is as it was. If you do not need it any more, please \
                tell us."
                .to_owned(),
            Self::TakenInstead { starts_at } => {
                format!("The appointment that you have is on {}.", told(starts_at))
            }
        };
        format!("<p>{text}</p>")
    }
}
