//! How fast released actions are let out, as a person writes it: `2/s`, `30/m`, `100/h`.

use crate::store::operator::act::Pace;

/// More in a second are no slow release: the limits of the account are for that.
const ACTIONS_MAX: i64 = 1_000;

/// The units of time and their lengths, milliseconds.
const UNITS: [(&str, i64); 3] = [("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads `2/s`, `30/m` or `100/h`.
pub(super) fn parse(text: &str) -> Result<Pace, String> {
    let wrong = || {
        format!(
            "expected so many in a second, a minute or an hour, as in `2/s`, `30/m` or `100/h`, 1 to {ACTIONS_MAX}"
        )
    };
    let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let actions: i64 = number.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
    let (_, within_ms) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    if !(1..=ACTIONS_MAX).contains(&actions) {
        return Err(wrong());
    }
    Ok(Pace { actions, within_ms })
}

/// As it is written.
pub(super) fn in_words(pace: Pace) -> String {
    let unit = UNITS.into_iter().find(|(_, ms)| *ms == pace.within_ms).map_or("?", |(name, _)| name);
    format!("{}/{unit}", pace.actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_spaces_actions_evenly() {
        for (text, due_ms) in [
            ("2/s", [0, 500, 1_000, 50_000]),
            ("30/m", [0, 2_000, 4_000, 200_000]),
            ("100/h", [0, 36_000, 72_000, 3_600_000]),
            ("3/s", [0, 333, 666, 33_333]),
        ] {
            let pace = parse(text).expect(text);
            assert_eq!([0, 1, 2, 100].map(|number| pace.due_after_ms(number)), due_ms, "{text}");
            assert_eq!(in_words(pace), text);
        }
    }

    #[test]
    fn what_is_no_pace_is_refused() {
        for text in ["", "2", "2/d", "0/s", "-1/s", "+1/s", "1.5/s", "/s", "2/", "1001/s", "2 /s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
