//! `Stripe-Signature` on a webhook's raw bytes.
//!
//! Who comes in: the webhook door, before anything is parsed. Whom it may call: nobody.
//! Invariant: without a secret nothing is genuine; every secret is tried against every `v1` in constant time.
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

/// How far a signature's time may lie from ours, either way (seconds): what Stripe's own libraries allow for the past.
pub const TOLERANCE_S: i64 = 300;

/// Candidates looked at in one header: Stripe sends one per active secret, and a rotation has two.
const CANDIDATES_MAX: usize = 16;

/// Why a webhook isn't believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No secret is configured: nothing can be believed.
    #[error("no webhook secret is configured; set STRIPE_WEBHOOK_SECRET")]
    NoSecret,
    /// There is no header, or it isn't `t=…,v1=…`.
    #[error("the Stripe-Signature header is missing or malformed")]
    Malformed,
    /// No secret made any of the signatures.
    #[error("no configured webhook secret made this signature")]
    Mismatch,
    /// Genuine but too old: a replay, or our clock is ahead.
    #[error("the signature is {seconds} s old; at most {TOLERANCE_S} s is accepted")]
    Old {
        /// How old.
        seconds: i64,
    },
    /// Genuine but from the future: our clock is behind.
    #[error("the signature is {seconds} s in the future; at most {TOLERANCE_S} s is accepted")]
    Future {
        /// How far ahead.
        seconds: i64,
    },
}

/// Says whether `body` is Stripe's: signed by one of `secrets`, at a time within [`TOLERANCE_S`] of `now_ms` (Unix
/// milliseconds). The time is judged only once the signature is known to be genuine. Returns the signature's time, Unix seconds.
///
/// # Errors
/// [`SignatureError`] says which check failed first.
pub fn verify(header: Option<&str>, body: &[u8], secrets: &[SecretString], now_ms: i64) -> Result<i64, SignatureError> {
    if !secrets.iter().any(|secret| !secret.expose_secret().is_empty()) {
        return Err(SignatureError::NoSecret);
    }
    let (time, candidates) = parse(header.ok_or(SignatureError::Malformed)?)?;
    let mut genuine = Choice::from(0);
    for secret in secrets.iter().filter(|secret| !secret.expose_secret().is_empty()) {
        let Some(ours) = mac(secret.expose_secret(), time, body) else { continue };
        for candidate in &candidates {
            genuine |= ours.ct_eq(candidate);
        }
    }
    if !bool::from(genuine) {
        return Err(SignatureError::Mismatch);
    }
    let time: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    let age = now_ms.div_euclid(1_000).saturating_sub(time);
    if age > TOLERANCE_S {
        Err(SignatureError::Old { seconds: age })
    } else if age < -TOLERANCE_S {
        Err(SignatureError::Future { seconds: age.saturating_neg() })
    } else {
        Ok(time)
    }
}

/// The header that Stripe would send for `body` at `time_s` (Unix seconds): for tests and for replaying into ourselves.
#[must_use]
pub fn sign(secret: &SecretString, body: &[u8], time_s: i64) -> String {
    let mac = mac(secret.expose_secret(), &time_s.to_string(), body).unwrap_or_default();
    format!("t={time_s},v1={}", hex::encode(mac))
}

fn parse(header: &str) -> Result<(&str, Vec<[u8; 32]>), SignatureError> {
    let (mut time, mut candidates) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", _)) if time.is_some() => return Err(SignatureError::Malformed),
            Some(("t", text)) => time = Some(text),
            Some(("v1", text)) if candidates.len() < CANDIDATES_MAX => {
                let mut candidate = [0; 32];
                if hex::decode_to_slice(text, &mut candidate).is_ok() {
                    candidates.push(candidate);
                }
            }
            // v0 and what may come: not for us.
            Some(_) | None => {}
        }
    }
    match time {
        Some(time) if !candidates.is_empty() && time.parse::<i64>().is_ok() => Ok((time, candidates)),
        Some(_) | None => Err(SignatureError::Malformed),
    }
}

/// HMAC-SHA256 of `{t}.{body}`, with the time exactly as it was written. HMAC takes a key of any length: `None` never comes.
fn mac(secret: &str, time: &str, body: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;
    const NOW_S: i64 = 1_800_000_000;
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn check(header: &str, body: &[u8], secrets: &[&str]) -> Result<i64, SignatureError> {
        let secrets: Vec<_> = secrets.iter().copied().map(secret).collect();
        verify(Some(header), body, &secrets, NOW_MS)
    }

    #[test]
    fn what_a_known_secret_signed_is_believed() {
        let header = sign(&secret("whsec_a"), BODY, NOW_S);
        assert_eq!(check(&header, BODY, &["whsec_a"]), Ok(NOW_S));
        assert_eq!(check(&header, BODY, &["whsec_b", "whsec_a"]), Ok(NOW_S));
    }

    #[test]
    fn the_signature_is_hmac_sha256_of_the_time_a_dot_and_the_raw_bytes() {
        // printf '1800000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_a
        let expected = "t=1800000000,v1=a55079840ea2399121b7cc9ddcc2d7f3eadb4e93e38ab7d315482aa8d4846852";
        assert_eq!(sign(&secret("whsec_a"), BODY, NOW_S), expected);
    }

    #[test]
    fn while_a_secret_is_rotated_either_signature_will_do() {
        let (old, new) = (sign(&secret("whsec_old"), BODY, NOW_S), sign(&secret("whsec_new"), BODY, NOW_S));
        let new_v1 = new.split_once(',').unwrap().1;
        let both = format!("{old},{new_v1},v0=00");
        for known in ["whsec_old", "whsec_new"] {
            assert_eq!(check(&both, BODY, &[known]), Ok(NOW_S));
        }
        assert_eq!(check(&both, BODY, &["whsec_other"]), Err(SignatureError::Mismatch));
    }

    #[test]
    fn one_changed_byte_anywhere_is_refused() {
        let header = sign(&secret("whsec_a"), BODY, NOW_S);
        assert_eq!(check(&header, br#"{"id":"evt_2"}"#, &["whsec_a"]), Err(SignatureError::Mismatch));
        assert_eq!(check(&header, br#"{"id":"evt_1"} "#, &["whsec_a"]), Err(SignatureError::Mismatch));
        let later = header.replace("t=1800000000", "t=1800000001");
        assert_eq!(check(&later, BODY, &["whsec_a"]), Err(SignatureError::Mismatch));
        let (time, signature) = header.split_once(",v1=").unwrap();
        for place in 0..signature.len() {
            let other = if signature.as_bytes()[place] == b'0' { "1" } else { "0" };
            let mut forged = signature.to_owned();
            forged.replace_range(place..=place, other);
            let forged = format!("{time},v1={forged}");
            assert_eq!(check(&forged, BODY, &["whsec_a"]), Err(SignatureError::Mismatch), "{place}");
        }
    }

    #[test]
    fn a_genuine_signature_counts_for_five_minutes_either_way() {
        let at = |time_s| check(&sign(&secret("s"), BODY, time_s), BODY, &["s"]);
        assert_eq!(at(NOW_S - 300), Ok(NOW_S - 300));
        assert_eq!(at(NOW_S - 301), Err(SignatureError::Old { seconds: 301 }));
        assert_eq!(at(NOW_S + 300), Ok(NOW_S + 300));
        assert_eq!(at(NOW_S + 301), Err(SignatureError::Future { seconds: 301 }));
    }

    #[test]
    fn without_a_secret_nothing_is_believed() {
        let empty = sign(&secret(""), BODY, NOW_S);
        assert_eq!(check(&empty, BODY, &[]), Err(SignatureError::NoSecret));
        assert_eq!(check(&empty, BODY, &[""]), Err(SignatureError::NoSecret));
        assert_eq!(check(&empty, BODY, &["", "whsec_a"]), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_header_that_is_none_is_malformed() {
        for header in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=zz", "t=1,t=2,v1=00", "garbage", "t=1,v1=00ff"] {
            assert_eq!(check(header, BODY, &["s"]), Err(SignatureError::Malformed), "{header}");
        }
        assert_eq!(verify(None, BODY, &[secret("s")], NOW_MS), Err(SignatureError::Malformed));
    }
}
