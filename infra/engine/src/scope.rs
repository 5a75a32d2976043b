//! Which account and region a request is for: what the scope of its signature's credential says.
//! The signature itself is not checked.

use crate::wire::Call;
use std::borrow::Cow;

/// The digits of an account id.
const ACCOUNT_LEN: usize = 12;
/// How the regions of the partition `aws` begin (botocore's `endpoints.json`, `regionRegex`). Those
/// of other partitions are refused: their ARNs begin otherwise.
const REGION_STARTS: [&str; 9] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"];
/// The longest region name taken, in bytes. The longest there is has 14 (`ap-northeast-1`).
const REGION_LEN_MAX: usize = 24;
/// The one algorithm whose scope names a region.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// An account in a region: what has tables, queues and topics of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) account: String,
    pub(crate) region: String,
}

/// Why no scope could be made of a credential, in AWS's terms.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unscoped {
    /// AWS's `IncompleteSignature`.
    Incomplete(String),
    /// AWS's `InvalidSignatureException`, in the Query protocol `SignatureDoesNotMatch`.
    Invalid(String),
}

impl Scope {
    /// Whether both parts are well formed, and so may be names of directories.
    pub(crate) fn is_well_formed(&self) -> bool {
        is_account(&self.account) && is_region(&self.region)
    }

    /// The scope of a request: `own` if it is not signed in a way that names one. An access key id
    /// of twelve digits names the account, as in LocalStack and moto; any other one is of `own`'s.
    pub(crate) fn of<'a>(call: &Call, own: &'a Scope) -> Result<Cow<'a, Scope>, Unscoped> {
        let Some(credential) = credential(call)? else {
            return Ok(Cow::Borrowed(own));
        };
        // AWS takes no notice of slashes at the end.
        let elements: Vec<&str> = credential.trim_end_matches('/').split('/').collect();
        let [key, _date, region, _service, _terminator] = elements[..] else {
            return Err(Unscoped::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{credential}'"
            )));
        };
        let account = if is_account(key) { key } else { &own.account };
        if region == own.region && account == own.account {
            return Ok(Cow::Borrowed(own));
        }
        if region != own.region && !is_region(region) {
            return Err(Unscoped::Invalid(format!(
                "Credential should be scoped to a valid region, not '{region}'. "
            )));
        }
        Ok(Cow::Owned(Scope {
            account: account.to_owned(),
            region: region.to_owned(),
        }))
    }
}

/// The credential of a request signed with version 4: from its header, or else from its query.
fn credential(call: &Call) -> Result<Option<Cow<'_, str>>, Unscoped> {
    let signed = call
        .header("authorization")
        .and_then(|header| header.trim_start().strip_prefix(ALGORITHM))
        .filter(|rest| rest.starts_with(' '));
    if let Some(rest) = signed {
        let credential = rest
            .split(',')
            .find_map(|part| part.trim().strip_prefix("Credential="));
        return credential
            .map(|text| Some(Cow::Borrowed(text)))
            .ok_or_else(|| {
                Unscoped::Incomplete(
                    "Authorization header requires 'Credential' parameter. ".to_owned(),
                )
            });
    }
    if !call.query.contains("X-Amz-Credential") {
        return Ok(None);
    }
    Ok(url::form_urlencoded::parse(call.query.as_bytes())
        .find(|(name, _)| name == "X-Amz-Credential")
        .map(|(_, value)| Cow::Owned(value.into_owned())))
}

/// Whether `text` is an account id: twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == ACCOUNT_LEN && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` is the name of a region of the partition `aws`, there or yet to come, for instance
/// `us-east-1`.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [start, place, number] = parts[..] else {
        return false;
    };
    text.len() <= REGION_LEN_MAX
        && REGION_STARTS.contains(&start)
        && !place.is_empty()
        && place.bytes().all(|byte| byte.is_ascii_lowercase())
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;

    fn own() -> Scope {
        Scope {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }

    fn call(authorization: Option<&str>, query: &str) -> Call {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            let value = HeaderValue::from_str(value).expect("a header's value");
            headers.insert("authorization", value);
        }
        Call {
            method: Method::POST,
            path: "/".to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::new(),
        }
    }

    fn of(credential: &str) -> Result<(String, String), Unscoped> {
        let header = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=0"
        );
        Scope::of(&call(Some(&header), ""), &own())
            .map(|scope| (scope.account.clone(), scope.region.clone()))
    }

    fn pair(account: &str, region: &str) -> (String, String) {
        (account.to_owned(), region.to_owned())
    }

    #[test]
    fn the_region_is_the_scopes_and_twelve_digits_are_an_account() {
        assert_eq!(
            of("AKIDEXAMPLE/20260921/eu-west-1/sqs/aws4_request"),
            Ok(pair("000000000000", "eu-west-1"))
        );
        assert_eq!(
            of("111122223333/20260921/us-east-1/sqs/aws4_request"),
            Ok(pair("111122223333", "us-east-1"))
        );
        assert_eq!(
            of("11112222333/20260921/us-east-1/sqs/aws4_request"),
            Ok(pair("000000000000", "us-east-1"))
        );
    }

    #[test]
    fn a_request_without_a_scope_is_the_engines_own() {
        for header in [
            None,
            Some("Basic eDp4"),
            Some("AWS4-ECDSA-P256-SHA256 Credential=x"),
        ] {
            assert_eq!(
                Scope::of(&call(header, "a=b"), &own()),
                Ok(Cow::Owned(own()))
            );
        }
    }

    #[test]
    fn a_presigned_query_names_its_scope() {
        let query =
            "Action=ListQueues&X-Amz-Credential=x%2F20260921%2Feu-west-1%2Fsqs%2Faws4_request";
        let own = own();
        let scope = Scope::of(&call(None, query), &own).expect("a scope");
        assert_eq!(scope.region, "eu-west-1");
    }

    #[test]
    fn a_malformed_scope_is_refused_in_awss_words() {
        assert_eq!(
            of("a/b/c/d"),
            Err(Unscoped::Incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got 'a/b/c/d'"
                    .to_owned()
            ))
        );
        assert_eq!(
            of("x/20260921/wrong-region/sqs/aws4_request"),
            Err(Unscoped::Invalid(
                "Credential should be scoped to a valid region, not 'wrong-region'. ".to_owned()
            ))
        );
        let header = "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0";
        assert!(matches!(
            Scope::of(&call(Some(header), ""), &own()),
            Err(Unscoped::Incomplete(_))
        ));
    }

    #[test]
    fn regions_are_told_by_their_shape() {
        for region in [
            "us-east-1",
            "ap-southeast-5",
            "mx-central-1",
            "il-central-1",
        ] {
            assert!(is_region(region), "{region}");
        }
        for text in [
            "",
            "local",
            "us-east",
            "us-east-",
            "us-east-1a",
            "us-gov-west-1",
            "cn-north-1",
            "..-a-1",
            "us-../-1",
            "US-EAST-1",
            "us-east-123",
            "us--1",
        ] {
            assert!(!is_region(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_one_plain_segment_of_a_path(key in "\\PC{0,16}", region in "\\PC{0,16}") {
            let query: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("X-Amz-Credential", &format!("{key}/1/{region}/sqs/aws4_request"))
                .finish();
            if let Ok(scope) = Scope::of(&call(None, &query), &own()) {
                prop_assert!(scope.is_well_formed());
                for part in [&scope.account, &scope.region] {
                    prop_assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
                }
            }
        }
    }
}
