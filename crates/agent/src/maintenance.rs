//! Maintenance windows: hours of every day in which an agent takes nothing new. Times are UTC, so that nothing depends
//! on a machine's time zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

const MINUTES_PER_DAY: u64 = 24 * 60;

/// A window such as `02:00-03:30`; one that ends before it begins goes over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    from: u64,
    to: u64,
}

/// A text that is no window.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no window of a day such as \"02:00-03:30\"")]
pub struct NotAWindow(String);

impl Window {
    /// Whether a Unix time lies in it.
    #[must_use]
    pub fn contains(self, unix_seconds: u64) -> bool {
        let minute = unix_seconds / 60 % MINUTES_PER_DAY;
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

fn minute(text: &str) -> Option<u64> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u64, u64) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let parsed = text
            .split_once('-')
            .and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match parsed {
            Some((from, to)) if from != to => Ok(Self { from, to }),
            _ => Err(NotAWindow(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Window {
    type Error = NotAWindow;

    fn try_from(text: String) -> Result<Self, NotAWindow> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minute: u64| (minute / 60, minute % 60);
        let ((from_h, from_m), (to_h, to_m)) = (clock(self.from), clock(self.to));
        write!(f, "{from_h:02}:{from_m:02}-{to_h:02}:{to_m:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, hour: u64, minute: u64) -> bool {
        let window: Window = text.parse().unwrap();
        window.contains(20_000 * 86_400 + hour * 3600 + minute * 60)
    }

    #[test]
    fn windows_hold_their_first_minute_and_not_their_last() {
        assert!(at("02:00-03:30", 2, 0) && at("02:00-03:30", 3, 29));
        assert!(!at("02:00-03:30", 1, 59) && !at("02:00-03:30", 3, 30));
        assert!(at("23:00-01:00", 23, 30) && at("23:00-01:00", 0, 59));
        assert!(!at("23:00-01:00", 1, 0) && !at("23:00-01:00", 22, 59));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for bad in [
            "",
            "2-3",
            "02:00",
            "24:00-01:00",
            "02:60-03:00",
            "02:00-02:00",
        ] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
        assert_eq!(
            "2:05-3:30".parse::<Window>().unwrap().to_string(),
            "02:05-03:30"
        );
    }
}
