//! Signing what is delivered wrapped, and the certificate with which readers check it (AWS,
//! "Verifying the signatures of Amazon SNS messages").
//!
//! The key is made when it is first needed and lives as long as the process: it proves nothing but
//! that a reader's own check works. Messages kept over a restart bear a signature of the key
//! before.

mod certificate;
mod der;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use num_bigint::BigUint;
use std::sync::OnceLock;

/// What a digest is preceded by within a signature (RFC 8017, section 9.2, notes).
const SHA1_INFO: &[u8] = b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14";
const SHA256_INFO: &[u8] =
    b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

static SIGNER: OnceLock<Option<Signer>> = OnceLock::new();

/// A private key and its certificate.
struct Signer {
    key: PrivateKey,
    certificate: String,
    /// What tells this certificate from others in its URL.
    id: String,
}

/// An RSA key, prepared for the Chinese remainder theorem (RFC 8017, section 3.2).
struct PrivateKey {
    bytes: usize,
    p: BigUint,
    q: BigUint,
    exponent_p: BigUint,
    exponent_q: BigUint,
    coefficient: BigUint,
}

/// The signature of a document by the members that are signed: each name and value is a line.
pub(super) fn sign(version: &str, members: &[(&str, &str)]) -> String {
    let mut members = members.to_vec();
    members.sort_unstable();
    let text: String = members
        .iter()
        .map(|(name, value)| format!("{name}\n{value}\n"))
        .collect();
    signer().map_or_else(
        || "EXAMPLE".to_owned(),
        |signer| signer.sign(version, &text),
    )
}

/// Where the certificate is, from the engine's root.
pub(super) fn certificate_path() -> String {
    signer().map_or_else(|| "/SimpleNotificationService.pem".to_owned(), Signer::path)
}

/// The process's signer; `None` if the system gives no key.
fn signer() -> Option<&'static Signer> {
    let made = SIGNER.get_or_init(|| {
        let made = Signer::make();
        if made.is_none() {
            tracing::error!("no key could be made: messages are delivered with a dummy signature");
        }
        made
    });
    made.as_ref()
}

impl Signer {
    fn make() -> Option<Signer> {
        let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
        let key = PrivateKey::read(private.as_ref())?;
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).ok()?;
        let to_sign = certificate::to_be_signed(public.as_ref());
        let signature = key.sign(&SHA256, SHA256_INFO, &to_sign);
        let signed = certificate::signed(&to_sign, &signature);
        let id = digest(&SHA256, &signed).as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some(Signer {
            key,
            certificate: certificate::pem(&signed),
            id,
        })
    }

    /// The signature of a text in base64: of version 1, with SHA-1, or of version 2, with SHA-256.
    fn sign(&self, version: &str, text: &str) -> String {
        let (algorithm, info) = match version {
            "2" => (&SHA256, SHA256_INFO),
            _ => (&SHA1_FOR_LEGACY_USE_ONLY, SHA1_INFO),
        };
        BASE64.encode(self.key.sign(algorithm, info, text.as_bytes()))
    }

    fn path(&self) -> String {
        format!("/SimpleNotificationService-{}.pem", self.id)
    }
}

/// The certificate at a path, in PEM.
pub(crate) fn certificate_at(path: &str) -> Option<&'static str> {
    let signer = SIGNER.get()?.as_ref()?;
    (signer.path() == path).then_some(signer.certificate.as_str())
}

impl PrivateKey {
    /// Reads PKCS #8.
    fn read(pkcs8: &[u8]) -> Option<PrivateKey> {
        let key = der::elements(der::inside(pkcs8)?)?;
        let key = der::elements(der::inside(key.get(2)?.content)?)?;
        let number = |place: usize| Some(BigUint::from_bytes_be(key.get(place)?.content));
        let modulus = number(1)?;
        Some(PrivateKey {
            bytes: usize::try_from(modulus.bits().div_ceil(8)).ok()?,
            p: number(4)?,
            q: number(5)?,
            exponent_p: number(6)?,
            exponent_q: number(7)?,
            coefficient: number(8)?,
        })
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2). aws-lc signs with SHA-1 no more, which version 1
    /// of AWS's signatures asks for.
    fn sign(&self, algorithm: &'static Algorithm, info: &[u8], text: &[u8]) -> Vec<u8> {
        let digest = digest(algorithm, text);
        let mut block = vec![0xff; self.bytes];
        block[..2].copy_from_slice(&[0, 1]);
        let start = self.bytes - info.len() - digest.as_ref().len();
        block[start - 1] = 0;
        block[start..start + info.len()].copy_from_slice(info);
        block[start + info.len()..].copy_from_slice(digest.as_ref());
        let signature = self.power(&BigUint::from_bytes_be(&block)).to_bytes_be();
        [vec![0; self.bytes - signature.len()], signature].concat()
    }

    /// The private operation (RFC 8017, section 5.1.2).
    fn power(&self, base: &BigUint) -> BigUint {
        let by_p = base.modpow(&self.exponent_p, &self.p);
        let by_q = base.modpow(&self.exponent_q, &self.q);
        let difference = (&by_p + &self.p - (&by_q % &self.p)) % &self.p;
        let height = (difference * &self.coefficient) % &self.p;
        by_q + height * &self.q
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{
        RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };

    /// The public key within a certificate: the seventh part of what is signed.
    fn public_key(pem: &str) -> Vec<u8> {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let certificate = BASE64.decode(body).expect("base64");
        let parts = der::elements(der::inside(&certificate).expect("a sequence")).expect("parts");
        let parts = der::elements(parts[0].content).expect("parts");
        let spki = der::elements(parts[6].content).expect("a key");
        // A bit string begins with the number of its unused bits.
        spki[1].content[1..].to_vec()
    }

    #[test]
    fn both_versions_verify_with_the_certificates_key() {
        let signer = signer().expect("a key");
        let certificate = certificate_at(&signer.path()).expect("a certificate");
        let key = public_key(certificate);
        let versions: [(&str, &'static dyn VerificationAlgorithm); 2] = [
            ("1", &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
            ("2", &RSA_PKCS1_2048_8192_SHA256),
        ];
        for (version, algorithm) in versions {
            let signature = BASE64
                .decode(signer.sign(version, "text"))
                .expect("in base64");
            let key = UnparsedPublicKey::new(algorithm, &key);
            key.verify(b"text", &signature).expect(version);
            key.verify(b"another text", &signature).expect_err(version);
        }
    }

    #[test]
    fn another_certificate_is_not_here() {
        signer().expect("a key");
        assert!(certificate_at("/SimpleNotificationService-0.pem").is_none());
    }
}
