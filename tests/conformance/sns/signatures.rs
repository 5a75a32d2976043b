//! Signatures of what is delivered in a document, checked as AWS says to check them.

use super::support::{publish, wrapped};
use crate::prelude::*;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

const VERIFY: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html";

/// The members of a notification that are signed, in their order.
const SIGNED: [&str; 6] = [
    "Message",
    "MessageId",
    "Subject",
    "Timestamp",
    "TopicArn",
    "Type",
];

/// The contents of the elements that follow each other in a DER text.
fn elements(mut der: &[u8]) -> Result<Vec<&[u8]>> {
    let broken = || Failed("the certificate is no DER".to_owned());
    let mut found = Vec::new();
    while let [_, first, rest @ ..] = der {
        let digits = if *first < 0x80 {
            0
        } else {
            usize::from(first & 0x7f)
        };
        let (length, rest) = rest.split_at_checked(digits).ok_or_else(broken)?;
        let length = match digits {
            0 => usize::from(*first),
            _ => length
                .iter()
                .fold(0, |all, byte| (all << 8) | usize::from(*byte)),
        };
        let (content, after) = rest.split_at_checked(length).ok_or_else(broken)?;
        found.push(content);
        der = after;
    }
    Ok(found)
}

fn nth<'a>(elements: &[&'a [u8]], place: usize) -> Result<&'a [u8]> {
    elements
        .get(place)
        .copied()
        .ok_or_else(|| Failed(format!("the certificate has no part {place}")))
}

/// The RSA key of a certificate (RFC 5280, section 4.1).
fn public_key(pem: &str) -> Result<Vec<u8>> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let certificate = BASE64.decode(body)?;
    let certificate = elements(nth(&elements(&certificate)?, 0)?)?;
    let to_be_signed = elements(nth(&certificate, 0)?)?;
    let key = elements(nth(&to_be_signed, 6)?)?;
    // A bit string begins with the number of its unused bits.
    Ok(nth(&key, 1)?.get(1..).unwrap_or_default().to_vec())
}

async fn verifies(
    aws: &Aws,
    version: &str,
    algorithm: &'static dyn VerificationAlgorithm,
    more: &[(&str, &str)],
) -> Result {
    let topic = aws.topic("news", &[("SignatureVersion", version)]).await?;
    let queue = aws.queue("readers", json!({})).await?;
    aws.subscribed(&topic, &queue, &[]).await?;
    publish(aws, &topic, "what was said", more).await?;
    let document = wrapped(aws, &queue).await?;
    ensure_eq!(document.text_at("/SignatureVersion")?, version);
    let url = document.text_at("/SigningCertURL")?;
    let answer = aws.client().get(url).await?;
    ensure!(
        answer.status == 200,
        "{url} was answered with {}",
        answer.status
    );
    let key = public_key(&String::from_utf8_lossy(&answer.body))?;
    let text: String = SIGNED
        .iter()
        .filter_map(|name| Some(format!("{name}\n{}\n", document.get(name)?.as_str()?)))
        .collect();
    let signature = BASE64.decode(document.text_at("/Signature")?)?;
    let verified = UnparsedPublicKey::new(algorithm, key).verify(text.as_bytes(), &signature);
    ensure!(verified.is_ok(), "the signature is not one of {text:?}");
    Ok(())
}

checks! {
    VERIFY => async fn version_1_is_sha1_with_rsa(aws: Aws) {
        verifies(&aws, "1", &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, &[]).await
    }

    VERIFY => async fn version_2_is_sha256_with_rsa(aws: Aws) {
        verifies(&aws, "2", &RSA_PKCS1_2048_8192_SHA256, &[]).await
    }

    VERIFY => async fn a_subject_is_signed_too(aws: Aws) {
        verifies(&aws, "2", &RSA_PKCS1_2048_8192_SHA256, &[("Subject", "A subject")]).await
    }
}
