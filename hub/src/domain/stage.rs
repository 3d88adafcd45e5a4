//! Where a deal is at the hub.

use gio_protocol::DealStage;

/// The order is the order of life; a deal only moves on, unless a reorganisation takes its end back.
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

    /// Whether nothing can change any more, as long as the chain stays what it is.
    #[must_use]
    pub fn is_final(self) -> bool {
        self >= Self::Settled
    }

    /// Where a deal that has ended here is instead, if the chain says something else of it now; `None` if the end stands.
    /// From there the chain's events and the hub's steps carry it on to whatever end it has next.
    #[must_use]
    pub fn if_not_over(self, on_chain: DealStage, has_result: bool) -> Option<Self> {
        let stands = match on_chain {
            DealStage::Settled => self == Self::Settled,
            DealStage::Refunded => self == Self::Refunded,
            DealStage::Cancelled => self == Self::Cancelled,
            DealStage::Refuted => self == Self::Refuted,
            DealStage::None | DealStage::Open | DealStage::Posted => false,
        };
        match on_chain {
            _ if stands => None,
            DealStage::Posted => Some(Self::Posted),
            // What is posted already is posted again; anything else is first put together, or given back when it is late.
            _ if has_result => Some(Self::Posted),
            _ => Some(Self::Assembling),
        }
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

    #[test]
    fn an_end_stands_only_if_the_chain_says_the_same() {
        let ends = [
            (Stage::Settled, DealStage::Settled),
            (Stage::Refunded, DealStage::Refunded),
            (Stage::Cancelled, DealStage::Cancelled),
            (Stage::Refuted, DealStage::Refuted),
        ];
        for (ours, _) in ends {
            for (other, on_chain) in ends {
                let back = ours.if_not_over(on_chain, true);
                assert_eq!(back, (ours != other).then_some(Stage::Posted));
            }
            for on_chain in [DealStage::None, DealStage::Open] {
                let back = |has_result| ours.if_not_over(on_chain, has_result);
                assert_eq!(back(true), Some(Stage::Posted));
                assert_eq!(back(false), Some(Stage::Assembling));
            }
            let back = ours.if_not_over(DealStage::Posted, true);
            assert_eq!(back, Some(Stage::Posted));
        }
    }
}
