//! What stands after `MAIL` and `RCPT`: a path, and parameters.

use super::{MESSAGE_BYTES_MAX, Reply, too_big};

/// Longest address (RFC 5321, 4.5.3.1.3: a path is 256 octets with brackets).
const ADDRESS_BYTES_MAX: usize = 254;

/// Splits `FROM:<address> PARAMETERS`; a quoted local part may hold `>`.
pub(super) fn path<'l>(rest: &'l str, keyword: &str) -> Option<(&'l str, &'l str)> {
    let head = rest.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let inner = rest[keyword.len()..].trim_start().strip_prefix('<')?;
    let mut quoted = false;
    let mut escaped = false;
    for (index, character) in inner.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some((&inner[..index], inner[index + 1..].trim())),
            _ => {}
        }
    }
    None
}

/// A local part and a domain without control characters: the mailbox takes what
/// a provider might take, and no line break can come in.
pub(super) fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
    address.len() <= ADDRESS_BYTES_MAX
        && !local.is_empty()
        && !domain.is_empty()
        && !address.chars().any(char::is_control)
        && !domain.contains([' ', '<', '>', '"'])
        && (quoted || !local.contains([' ', '<', '>', '"', '@']))
}

pub(super) fn check_mail_parameters(parameters: &str) -> Result<(), Reply> {
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" => match value.parse::<u64>() {
                Ok(size) if size <= MESSAGE_BYTES_MAX as u64 => {}
                Ok(_) => return Err(too_big()),
                Err(_) => return Err(Reply::new(501, "5.5.4 SIZE is a number")),
            },
            "BODY" if ["7BIT", "8BITMIME"].contains(&value.to_ascii_uppercase().as_str()) => {}
            "SMTPUTF8" if value.is_empty() => {}
            _ => return Err(Reply::new(555, "5.5.4 Unknown parameter")),
        }
    }
    Ok(())
}
