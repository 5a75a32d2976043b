//! JSON logs, and the ids that tie one log line to the next.
//!
//! Every line of a handled record stands in a span with `correlation_id` and `causation_id`.
//! Payloads, addresses and names are never logged.

use callboard_contracts::Cause;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::settings::Vars;

/// Crates, by the beginning of their names, that write what passes through them to the log below
/// `info`: the SDK's requests and answers, Lambda's raw events, HTTP and SMTP as spoken.
const TELL_PAYLOADS: [&str; 7] = ["aws", "h2", "hyper", "lambda", "lettre", "rustls", "tower"];

/// Starts JSON logging to standard output at the level of `LOG_LEVEL` (default `info`), as
/// [`filter`] reads it. A second call changes nothing, so that hosts and tests may call it freely.
pub fn init(vars: &Vars) {
    let filter = filter(vars.get("LOG_LEVEL").map_or("info", String::as_str));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_span_events(FmtSpan::NONE)
        .with_env_filter(filter)
        .try_init();
    // An error means that a subscriber is there already.
    drop(started);
}

/// The filter for a level (or any `tracing` filter): what cannot be read is `info`. Whatever the
/// level, crates that would log payloads stay at `info`; only a filter that names one of their
/// modules opens it.
///
/// ```
/// use callboard_runtime::telemetry::filter;
/// assert!(filter("trace").to_string().contains("aws=info"));
/// assert_eq!(filter("warn").to_string(), "warn");
/// ```
#[must_use]
pub fn filter(level: &str) -> EnvFilter {
    let asked = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    if asked
        .max_level_hint()
        .is_some_and(|most| most <= LevelFilter::INFO)
    {
        return asked;
    }
    let caps = TELL_PAYLOADS.iter().map(|name| format!("{name}=info"));
    caps.filter_map(|cap| cap.parse().ok())
        .fold(asked, EnvFilter::add_directive)
}

/// The span of one record or command: what it logs can be found by either id.
#[must_use]
pub fn span(cause: &Cause) -> Span {
    tracing::info_span!(
        "handle",
        correlation_id = %cause.correlation_id,
        causation_id = %cause.causation_id,
        traceparent = cause.traceparent.as_deref().unwrap_or_default(),
    )
}

/// The header if it has the form of W3C Trace Context, version 00: what came from outside is
/// carried on only when it is what it says.
///
/// <https://www.w3.org/TR/trace-context/#traceparent-header>
///
/// ```
/// use callboard_runtime::telemetry::traceparent;
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// assert_eq!(traceparent(header), Some(header.to_owned()));
/// assert_eq!(traceparent("<script>"), None);
/// ```
#[must_use]
pub fn traceparent(header: &str) -> Option<String> {
    let mut parts = header.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let well_formed = version == "00"
        && parts.next().is_none()
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|byte| byte != b'0')
        && parent.bytes().any(|byte| byte != b'0');
    well_formed.then(|| header.to_owned())
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_never_opens_what_logs_payloads_and_only_a_module_named_does() {
        for level in ["debug", "trace", "info,callboard_runtime=trace"] {
            let told = filter(level).to_string();
            for name in TELL_PAYLOADS {
                assert!(told.contains(&format!("{name}=info")), "{level}: {told}");
            }
        }
        let named = filter("debug,aws_smithy_runtime=trace").to_string();
        assert!(named.contains("aws_smithy_runtime=trace"));
        assert_eq!(filter("no filter=at=all").to_string(), "info");
    }

    #[test]
    fn a_trace_header_of_zeros_or_of_another_form_is_not_carried_on() {
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let upper = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01";
        let long = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        for header in [zero, upper, long, "", "00-4bf9"] {
            assert_eq!(traceparent(header), None, "{header}");
        }
    }
}
