//! Fail-points: named places, one after every write and every send of hub, miner and buyer, where a test build dies on
//! demand as if by `kill -9`, or stands still as if by `kill -STOP`; and the clock of a test build can be set wrong, and its
//! patience be short.
//!
//! A place is visited when the process passes it. [`KILL_AT`] names the visits to die at; without it nothing happens.
//! All of it is compiled with `debug_assertions` only: in a release build the macro is empty and the clock is right.

/// Environment variable: where to die, as `name@visit` separated by commas; visits count from 1.
#[cfg(debug_assertions)]
pub const KILL_AT: &str = "GIO_KILL_AT";
/// Environment variable: where to freeze as if by `kill -STOP`, in the same words, until somebody sends SIGCONT.
#[cfg(debug_assertions)]
pub const STOP_AT: &str = "GIO_STOP_AT";
/// Environment variable: a file that every visit's name is appended to, a line each.
#[cfg(debug_assertions)]
pub const VISITS: &str = "GIO_FAIL_POINT_VISITS";
/// Environment variable: seconds by which this process's clock is wrong.
#[cfg(debug_assertions)]
pub const CLOCK_SHIFT: &str = "GIO_CLOCK_SHIFT";

/// Environment variable: how many times sooner than usual this process loses its patience with the chain.
#[cfg(debug_assertions)]
pub const HURRY: &str = "GIO_HURRY";

/// A place to die at, by its name. Nothing at all in a release build.
#[cfg(debug_assertions)]
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {
        $crate::visit($name)
    };
}

/// A place to die at, by its name. Nothing at all in a release build.
#[cfg(not(debug_assertions))]
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {{}};
}

/// Seconds by which a test has set this process's clock wrong; 0 in a release build.
#[must_use]
pub fn clock_shift() -> i64 {
    #[cfg(debug_assertions)]
    return armed::clock_shift();
    #[cfg(not(debug_assertions))]
    0
}

/// How many times sooner than usual a test has this process lose its patience with the chain; 1 in a release build.
#[must_use]
pub fn hurry() -> u32 {
    #[cfg(debug_assertions)]
    return armed::hurry();
    #[cfg(not(debug_assertions))]
    1
}

#[cfg(debug_assertions)]
pub use armed::visit;

#[cfg(debug_assertions)]
mod armed {
    use std::collections::BTreeMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    use super::{CLOCK_SHIFT, HURRY, KILL_AT, STOP_AT, VISITS};

    /// What the environment asks for, read once.
    struct Plan {
        /// Visits to die at, by name.
        deadly: BTreeMap<String, Vec<u64>>,
        /// Visits to freeze at, by name.
        icy: BTreeMap<String, Vec<u64>>,
        visits: Option<File>,
        /// Visits so far, by name.
        counts: Mutex<BTreeMap<&'static str, u64>>,
    }

    /// Passes a fail-point.
    ///
    /// # Panics
    /// If the environment asks for something that cannot be read: a test that kills nothing proves nothing.
    pub fn visit(name: &'static str) {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        let Some(plan) = PLAN.get_or_init(Plan::read) else {
            return;
        };
        let mut counts = plan.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name).or_default();
        *count += 1;
        if let Some(mut file) = plan.visits.as_ref() {
            file.write_all(format!("{name}\n").as_bytes())
                .expect("the file named for visits can be written");
        }
        let is_in = |points: &BTreeMap<String, Vec<u64>>| {
            let visits = points.get(name);
            visits.is_some_and(|visits| visits.contains(count))
        };
        if is_in(&plan.deadly) {
            die();
        }
        if is_in(&plan.icy) {
            // Every thread stands still until SIGCONT.
            let _ = kill_process(getpid(), Signal::STOP);
        }
    }

    /// No destructor, no flush, no other thread goes on.
    fn die() -> ! {
        let _ = kill_process(getpid(), Signal::KILL);
        // Not reached: the signal is delivered on the way back from the call.
        std::process::abort()
    }

    impl Plan {
        fn read() -> Option<Self> {
            let (deadly, icy) = (std::env::var(KILL_AT), std::env::var(STOP_AT));
            let visits = std::env::var_os(VISITS);
            if deadly.is_err() && icy.is_err() && visits.is_none() {
                return None;
            }
            let open = |path| OpenOptions::new().create(true).append(true).open(path);
            Some(Self {
                deadly: parse(&deadly.unwrap_or_default()),
                icy: parse(&icy.unwrap_or_default()),
                visits: visits
                    .map(|path| open(path).expect("the file named for visits can be opened")),
                counts: Mutex::default(),
            })
        }
    }

    fn parse(text: &str) -> BTreeMap<String, Vec<u64>> {
        let mut deadly: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, visit) = part
                .split_once('@')
                .and_then(|(name, visit)| Some((name, visit.parse().ok()?)))
                .unwrap_or_else(|| panic!("`{part}` is no name@visit"));
            deadly.entry(name.to_owned()).or_default().push(visit);
        }
        deadly
    }

    pub(super) fn hurry() -> u32 {
        static HURRIED: OnceLock<u32> = OnceLock::new();
        *HURRIED.get_or_init(|| match std::env::var(HURRY) {
            Ok(text) => text.parse().expect("a number of times"),
            Err(_) => 1,
        })
    }

    pub(super) fn clock_shift() -> i64 {
        static SHIFT: OnceLock<i64> = OnceLock::new();
        *SHIFT.get_or_init(|| match std::env::var(CLOCK_SHIFT) {
            Ok(text) => text
                .parse()
                .expect("the clock's shift is a number of seconds"),
            Err(_) => 0,
        })
    }
}
