//! Where a deal is at the hub.

/// The order is the order of life; a deal only moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "the words are those of docs/protocol.md section 7 and the glossary"
)]
pub enum Stage {
    Signed = 1,
    Open = 2,
    Running = 3,
    Assembling = 4,
    Posted = 5,
    Settled = 6,
    Refunded = 7,
    Cancelled = 8,
    Refuted = 9,
    Expired = 10,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 10] = [
        Self::Signed,
        Self::Open,
        Self::Running,
        Self::Assembling,
        Self::Posted,
        Self::Settled,
        Self::Refunded,
        Self::Cancelled,
        Self::Refuted,
        Self::Expired,
    ];

    /// The number in the database.
    #[must_use]
    pub fn code(self) -> i64 {
        self as i64
    }

    /// Reads [`Self::code`].
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.code() == code)
    }

    /// The word people and scripts read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Open => "open",
            Self::Running => "running",
            Self::Assembling => "assembling",
            Self::Posted => "posted",
            Self::Settled => "settled",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Refuted => "refuted",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing can change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= Self::Settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_back_and_only_ends_are_final() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_code(stage.code()), Some(stage));
        }
        assert_eq!(Stage::from_code(0), None);
        assert_eq!(Stage::from_code(11), None);
        let open: Vec<_> = Stage::ALL.iter().filter(|s| !s.is_final()).collect();
        assert_eq!(open.len(), 5, "signed, open, running, assembling, posted");
    }
}
