//! `MAIL_TRANSPORT`: which provider, and where it is.

use std::net::IpAddr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// Port of a plain SMTP server that is not named (RFC 5321).
const SMTP_PORT: u16 = 25;

/// Port of an SMTP server behind implicit TLS that is not named (RFC 8314).
const SMTPS_PORT: u16 = 465;

/// The setting `MAIL_TRANSPORT`, read. It may hold a password, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Transport {
    /// `ses`: Amazon SES v2, with the function's own credentials.
    Ses,
    /// `smtp://host:port` on loopback, or `smtps://user:password@host:port`.
    Smtp(SmtpServer),
}

/// An SMTP server.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpServer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the connection starts with TLS.
    pub tls: bool,
    /// User and password.
    pub credentials: Option<(String, String)>,
}

/// Why a text is not a transport. The text itself may hold a password and is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No scheme we know.
    #[error("expected `ses`, `smtp://127.0.0.1:port` or `smtps://user:password@host:port`")]
    Form,
    /// Mails would cross a network in the clear.
    #[error("`smtp://` sends in the clear and is for loopback only; use `smtps://`")]
    PlainBeyondLoopback,
    /// A user without a password, or the other way round.
    #[error("`smtps://` needs both user and password, or neither")]
    Credentials,
}

impl FromStr for Transport {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        if text == "ses" {
            return Ok(Self::Ses);
        }
        let url = Url::parse(text).map_err(|_| TransportError::Form)?;
        let host = host(&url).ok_or(TransportError::Form)?;
        let (tls, default_port) = match url.scheme() {
            "smtp" => (false, SMTP_PORT),
            "smtps" => (true, SMTPS_PORT),
            _ => return Err(TransportError::Form),
        };
        if !tls && !is_loopback(&host) {
            return Err(TransportError::PlainBeyondLoopback);
        }
        Ok(Self::Smtp(SmtpServer {
            host,
            port: url.port().unwrap_or(default_port),
            tls,
            credentials: credentials(&url)?,
        }))
    }
}

fn host(url: &Url) -> Option<String> {
    let host = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    (!host.is_empty()).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn credentials(url: &Url) -> Result<Option<(String, String)>, TransportError> {
    let decode = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| TransportError::Credentials)
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(TransportError::Credentials),
        (user, Some(password)) => Ok(Some((decode(user)?, decode(password)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(text: &str) -> Result<SmtpServer, TransportError> {
        match text.parse()? {
            Transport::Smtp(server) => Ok(server),
            Transport::Ses => panic!("not SMTP"),
        }
    }

    #[test]
    fn a_loopback_server_needs_no_tls() {
        let Ok(server) = smtp("smtp://127.0.0.1:2525") else {
            panic!("refused");
        };
        assert_eq!((server.host.as_str(), server.port), ("127.0.0.1", 2525));
        assert!(!server.tls && server.credentials.is_none());
        assert!(smtp("smtp://localhost").is_ok_and(|server| server.port == 25));
        assert!(smtp("smtp://[::1]:26").is_ok_and(|server| server.host == "::1"));
    }

    #[test]
    fn a_server_beyond_loopback_is_refused_without_tls() {
        assert_eq!(
            smtp("smtp://mail.example.com:25").err(),
            Some(TransportError::PlainBeyondLoopback)
        );
    }

    #[test]
    fn credentials_are_decoded_and_come_in_pairs() {
        let Ok(server) = smtp("smtps://us%40er:p%3Aw@mail.example.com") else {
            panic!("refused");
        };
        assert_eq!(server.credentials, Some(("us@er".into(), "p:w".into())));
        assert_eq!((server.port, server.tls), (465, true));
        assert_eq!(
            smtp("smtps://user@mail.example.com").err(),
            Some(TransportError::Credentials)
        );
    }

    #[test]
    fn an_unknown_scheme_is_refused_without_showing_the_text() {
        let error = "http://user:secret@host"
            .parse::<Transport>()
            .err()
            .expect("refused");
        assert_eq!(error, TransportError::Form);
        assert!(!error.to_string().contains("secret"));
        assert!("ses".parse::<Transport>().is_ok());
    }
}
