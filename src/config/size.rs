//! Sizes as people write them: `64KiB`, `48MiB`, `2GiB`, `512B`.
//!
//! Only powers of 1,024 have names here: of `MB` nobody knows whether it is 1,000 or 1,024 squared.

/// Unit and its bytes.
const UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Why a text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SizeError {
    /// It is not a number and a unit.
    #[error("`{0}` is no size, expected a whole number and one of B, KiB, MiB, GiB, such as `64MiB`")]
    Form(String),
    /// The unit is the decimal one.
    #[error("`{0}` has no exact meaning, write `{1}` (powers of 1,024)")]
    DecimalUnit(String, String),
    /// It does not fit this machine.
    #[error("`{0}` is too large for this machine")]
    TooLarge(String),
}

/// The bytes written as `text`.
pub(super) fn parse(text: &str) -> Result<usize, SizeError> {
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (digits, unit) = trimmed.split_at(end);
    let unit = unit.trim_start();
    if digits.is_empty() {
        return Err(SizeError::Form(text.to_owned()));
    }
    if let Some(letter) = unit.strip_suffix('B').filter(|letter| matches!(*letter, "K" | "k" | "M" | "G")) {
        let exact = format!("{digits}{}iB", letter.to_uppercase());
        return Err(SizeError::DecimalUnit(text.to_owned(), exact));
    }
    let Some((_, unit_bytes)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
        return Err(SizeError::Form(text.to_owned()));
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit_bytes))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| SizeError::TooLarge(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_binary_unit_is_a_size() {
        for (text, bytes) in
            [("0B", 0), ("512B", 512), ("64KiB", 65_536), ("48MiB", 50_331_648), (" 2 GiB ", 2_147_483_648)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "MiB", "64", "64mib", "-1MiB", "1.5MiB", "1TiB"] {
            assert_eq!(parse(text), Err(SizeError::Form(text.into())), "{text}");
        }
        assert_eq!(parse("64MB"), Err(SizeError::DecimalUnit("64MB".into(), "64MiB".into())));
        assert_eq!(parse("99999999999GiB"), Err(SizeError::TooLarge("99999999999GiB".into())));
    }
}
