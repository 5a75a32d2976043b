//! A certificate that signs itself (RFC 5280), in PEM.

use super::der::{
    BIT_STRING, INTEGER, NULL, OBJECT, SEQUENCE, SET, UTC_TIME, UTF8, VERSION, element,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// sha256WithRSAEncryption, 1.2.840.113549.1.1.11 (RFC 8017, appendix A.2.4).
const SHA256_WITH_RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
/// commonName, 2.5.4.3 (RFC 5280, appendix A.1).
const COMMON_NAME: &[u8] = b"\x55\x04\x03";
/// As whom AWS's certificates speak.
const NAME: &[u8] = b"sns.amazonaws.com";
/// A key that lives as long as a process needs no other end.
const VALID: [&[u8]; 2] = [b"200101000000Z", b"491231235959Z"];

fn algorithm() -> Vec<u8> {
    let object = element(OBJECT, &[SHA256_WITH_RSA]);
    element(SEQUENCE, &[&object, &element(NULL, &[])])
}

/// What of a certificate is signed, for a key as X.509 writes it.
pub(super) fn to_be_signed(public_key: &[u8]) -> Vec<u8> {
    let one = element(INTEGER, &[&[1]]);
    let third_version = element(VERSION, &[&element(INTEGER, &[&[2]])]);
    let common = [element(OBJECT, &[COMMON_NAME]), element(UTF8, &[NAME])];
    let common = element(SEQUENCE, &[&common[0], &common[1]]);
    let name = element(SEQUENCE, &[&element(SET, &[&common])]);
    let valid = VALID.map(|time| element(UTC_TIME, &[time]));
    let valid = element(SEQUENCE, &[&valid[0], &valid[1]]);
    element(
        SEQUENCE,
        &[
            &third_version,
            &one,
            &algorithm(),
            &name,
            &valid,
            &name,
            public_key,
        ],
    )
}

/// The certificate of what was signed.
pub(super) fn signed(to_be_signed: &[u8], signature: &[u8]) -> Vec<u8> {
    let signature = element(BIT_STRING, &[&[0], signature]);
    element(SEQUENCE, &[to_be_signed, &algorithm(), &signature])
}

/// A certificate as text (RFC 7468).
pub(super) fn pem(certificate: &[u8]) -> String {
    let body = BASE64.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
