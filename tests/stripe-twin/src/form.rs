//! Form-encoded parameters as Stripe reads them: pairs, bracketed names, integers and ranges.
//! Called by the endpoints; knows nothing of the world. Invariant: the order of the pairs carries no meaning.

use std::collections::BTreeMap;

use crate::errors::ApiError;

/// The largest amount Stripe takes, in minor units.
pub(crate) const AMOUNT_MAX: i64 = 999_999_999_999;

/// Decoded parameters, sorted by name so that two encodings of one request compare equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Decodes a body or a query.
    #[must_use]
    pub(crate) fn decode(encoded: &[u8]) -> Self {
        let mut pairs: Vec<(String, String)> = form_urlencoded::parse(encoded)
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        pairs.sort();
        Self { pairs }
    }

    /// The last value given to this name.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Refuses any parameter whose name without brackets isn't among `known`.
    ///
    /// # Errors
    /// `parameter_unknown`, as Stripe answers it.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (name, _) in &self.pairs {
            let root = name.split('[').next().unwrap_or_default();
            if !known.contains(&root) {
                return Err(ApiError::unknown_parameter(root));
            }
        }
        Ok(())
    }

    /// A required parameter.
    ///
    /// # Errors
    /// `parameter_missing`, or `parameter_invalid_empty` for an empty one.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        match self.get(name) {
            None => Err(ApiError::missing_parameter(name)),
            Some("") => Err(ApiError::empty_parameter(name)),
            Some(value) => Ok(value),
        }
    }

    /// An optional integer.
    ///
    /// # Errors
    /// `parameter_invalid_integer`.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name).map(|value| integer(name, value)).transpose()
    }

    /// Everything under `name[…]`, by inner name.
    #[must_use]
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let inner = |key: &str| Some(key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
        self.pairs.iter().filter_map(|(key, value)| Some((inner(key)?, value.clone()))).collect()
    }

    /// Everything under `name[]`, `name[0]`…, in the order of those names.
    #[must_use]
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let is_item = |key: &str| {
            let inner = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
            inner.is_some_and(|inner| inner.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.pairs.iter().filter(|(key, _)| is_item(key)).map(|(_, value)| value.clone()).collect()
    }

    /// An optional `true` or `false`.
    ///
    /// # Errors
    /// A 400 in Stripe's words.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None | Some("") => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid(name, &format!("Invalid boolean: {other}"))),
        }
    }

    /// An optional amount of at least one.
    ///
    /// # Errors
    /// `parameter_invalid_integer`.
    pub(crate) fn amount(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.integer(name)? {
            Some(amount) if amount < 1 => Err(ApiError::amount_below_one()),
            Some(amount) if amount > AMOUNT_MAX => {
                Err(ApiError::invalid(name, "Amount must be no more than 999999999999."))
            }
            amount => Ok(amount),
        }
    }

    /// A text that isn't empty.
    #[must_use]
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// All pairs, sorted.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// A filter on a time: `created=5` or `created[gte]=5&created[lt]=9`.
    ///
    /// # Errors
    /// `parameter_invalid_integer` and `parameter_unknown`.
    pub(crate) fn range(&self, name: &str) -> Result<Range, ApiError> {
        let mut range = Range::default();
        if let Some(exact) = self.integer(name)? {
            range.narrow_from(exact);
            range.narrow_to(exact);
        }
        for (bound, value) in self.map(name) {
            let full = format!("{name}[{bound}]");
            let value = integer(&full, &value)?;
            match bound.as_str() {
                "gt" => range.narrow_from(value.saturating_add(1)),
                "gte" => range.narrow_from(value),
                "lt" => range.narrow_to(value.saturating_sub(1)),
                "lte" => range.narrow_to(value),
                _ => return Err(ApiError::unknown_parameter(&full)),
            }
        }
        Ok(range)
    }
}

fn integer(name: &str, value: &str) -> Result<i64, ApiError> {
    value.parse().map_err(|_| ApiError::invalid_integer(name, value))
}

/// An inclusive span of whole seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    from: i64,
    to: i64,
}

impl Default for Range {
    fn default() -> Self {
        Self { from: i64::MIN, to: i64::MAX }
    }
}

impl Range {
    /// Whether this second lies within.
    #[must_use]
    pub(crate) fn holds(&self, second: i64) -> bool {
        (self.from..=self.to).contains(&second)
    }

    fn narrow_from(&mut self, from: i64) {
        self.from = self.from.max(from);
    }

    fn narrow_to(&mut self, to: i64) {
        self.to = self.to.min(to);
    }
}

/// Stripe's limits on metadata: 50 keys, 40 and 500 characters, no brackets in a key.
///
/// # Errors
/// A 400 in Stripe's words.
pub(crate) fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if metadata.len() > 50 {
        let text = format!("Metadata can have up to 50 keys, but you passed in {}.", metadata.len());
        return Err(ApiError::invalid("metadata", &text));
    }
    for (key, value) in metadata {
        if key.chars().count() > 40 {
            let text = format!("Metadata keys must be under 40 characters: '{key}' is too long.");
            return Err(ApiError::invalid("metadata", &text));
        }
        if key.is_empty() || key.contains(['[', ']']) {
            return Err(ApiError::invalid("metadata", "Metadata keys can't be empty or contain square brackets."));
        }
        if value.chars().count() > 500 {
            let text = format!("Metadata values can have up to 500 characters; '{key}' has more.");
            return Err(ApiError::invalid(&format!("metadata[{key}]"), &text));
        }
    }
    Ok(())
}
