//! Names and dice: every id and every chance the twin takes is a function of its seed and of a counter or key.
//! Invariant: the same seed and the same requests give the same world.

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Mixes a number into 64 well-spread bits (splitmix64).
#[must_use]
pub(crate) fn mix(seed: u64, value: u64) -> u64 {
    let mut z = seed.wrapping_add(value.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Mixes a text into 64 bits (FNV-1a, then [`mix`]).
#[must_use]
pub(crate) fn mix_text(seed: u64, text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    mix(seed, hash)
}

/// An id in Stripe's form: the prefix, `1Twin`, the counter and some salt of the seed.
#[must_use]
pub(crate) fn id(prefix: &str, seed: u64, counter: u64) -> String {
    let mut out = format!("{prefix}_1Twin");
    push_base62(&mut out, counter, 7);
    push_base62(&mut out, mix_text(mix(seed, counter), prefix), 10);
    out
}

/// A short text that a bank or card might show, such as a fingerprint.
#[must_use]
pub(crate) fn salt(seed: u64, text: &str) -> String {
    let mut out = String::new();
    push_base62(&mut out, mix_text(seed, text), 11);
    out
}

fn push_base62(out: &mut String, mut value: u64, digits: usize) {
    let mut reversed = Vec::with_capacity(digits);
    for _ in 0..digits {
        let digit = usize::try_from(value % 62).unwrap_or_default();
        reversed.push(char::from(BASE62[digit]));
        value /= 62;
    }
    out.extend(reversed.iter().rev());
}

/// True in `per_mille` of a thousand rolls.
#[must_use]
pub(crate) fn chance(roll: u64, per_mille: u64) -> bool {
    roll % 1000 < per_mille
}
