//! What `email-sender` is told by the template, read once at start.

use callboard_domain::when::Zone;
use callboard_runtime::settings::{self, SettingsError, Vars};
use callboard_runtime::token::Keys;
use lettre::message::Mailbox;
use url::Url;

use crate::provider::transport::Transport;

/// The settings. They hold keys and perhaps a password, so there is no `Debug`.
#[derive(Clone)]
pub struct Settings {
    /// Table `journal`.
    pub journal_table: String,
    /// Table `contacts`.
    pub contacts_table: String,
    /// Which provider.
    pub transport: Transport,
    /// Who mails are from; its domain is that of every `Message-ID`.
    pub from: Mailbox,
    /// What links in mails begin with, without a slash at the end.
    pub public_url: String,
    /// Keys that sign links.
    pub keys: Keys,
    /// The zone that times are told in where neither recipient nor definition names one.
    pub clinic_zone: Zone,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// [`SettingsError`] names the first one that is missing or malformed.
    pub fn from_vars(vars: &Vars) -> Result<Self, SettingsError> {
        let keys = settings::required(vars, "LINK_KEYS")?;
        Ok(Self {
            journal_table: settings::required(vars, "JOURNAL_TABLE")?,
            contacts_table: settings::required(vars, "CONTACTS_TABLE")?,
            transport: settings::parsed(vars, "MAIL_TRANSPORT")?,
            from: settings::parsed(vars, "MAIL_FROM")?,
            public_url: public_url(vars)?,
            keys: Keys::parse(&keys)
                .map_err(|error| SettingsError::malformed("LINK_KEYS", error))?,
            clinic_zone: settings::parsed_or(vars, "CLINIC_TIME_ZONE", Zone::default())?,
        })
    }
}

fn public_url(vars: &Vars) -> Result<String, SettingsError> {
    const NAME: &str = "PUBLIC_URL";
    let url: Url = settings::parsed(vars, NAME)?;
    if !matches!(url.scheme(), "http" | "https")
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(SettingsError::malformed(
            NAME,
            "expected an http or https URL without query and fragment",
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> Vars {
        [
            ("JOURNAL_TABLE", "journal"),
            ("CONTACTS_TABLE", "contacts"),
            ("MAIL_TRANSPORT", "smtp://127.0.0.1:2525"),
            ("MAIL_FROM", "Callboard <desk@example.com>"),
            ("PUBLIC_URL", "http://127.0.0.1:8080/"),
            (
                "LINK_KEYS",
                "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn links_never_begin_with_two_slashes() {
        let Ok(settings) = Settings::from_vars(&vars()) else {
            panic!("refused");
        };
        assert_eq!(settings.public_url, "http://127.0.0.1:8080");
    }

    #[test]
    fn a_missing_or_malformed_setting_is_named_without_its_value() {
        for name in vars().into_keys() {
            let mut missing = vars();
            missing.remove(&name);
            let error = Settings::from_vars(&missing).err().expect("refused");
            assert!(error.to_string().contains(&name));
        }
        for (name, value) in [
            ("MAIL_TRANSPORT", "smtp://user:hunter2@mail.example.com"),
            ("MAIL_FROM", "hunter2"),
            ("PUBLIC_URL", "ftp://hunter2"),
            ("LINK_KEYS", "hunter2"),
            ("CLINIC_TIME_ZONE", "hunter2"),
        ] {
            let mut bad = vars();
            bad.insert(name.to_owned(), value.to_owned());
            let error = Settings::from_vars(&bad)
                .err()
                .expect("refused")
                .to_string();
            assert!(
                error.contains(name) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
