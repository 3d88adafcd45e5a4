//! Why a node did not take a transaction. JSON-RPC has no codes for this, so the texts of the nodes are read here,
//! and nowhere else.

/// What a node's refusal of a signed transaction means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has this very transaction already: as good as taken.
    Known,
    /// The nonce is behind the account's.
    NonceUsed,
    /// Another transaction with this nonce waits, and ours does not pay enough more to replace it.
    NonceTaken,
    /// The account cannot pay the gas.
    FundsMissing,
    /// Anything else.
    Other,
}

impl Refusal {
    /// Reads the text of a refusal.
    pub(crate) fn of(message: &str) -> Self {
        let text = message.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&[
            "already known",
            "already imported",
            "alreadyknown",
            "known transaction",
        ]) {
            Self::Known
        } else if has(&[
            "nonce too low",
            "nonce is too low",
            "oldnonce",
            "old nonce",
            "noncetoolow",
        ]) {
            Self::NonceUsed
        } else if has(&["replacement", "gas price too low to replace"]) {
            Self::NonceTaken
        } else if has(&["insufficient funds", "insufficientfunds"]) {
            Self::FundsMissing
        } else {
            Self::Other
        }
    }
}

/// Whether an error without revert data says that the call reverted.
pub(crate) fn is_revert(code: i64, message: &str) -> bool {
    /// geth's code for a reverted call.
    const REVERTED: i64 = 3;
    code == REVERTED || message.to_ascii_lowercase().contains("execution reverted")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As geth, reth, anvil, Nethermind, Erigon and Besu say it.
    #[test]
    fn refusals_are_understood_from_every_node() {
        for (text, expected) in [
            ("already known", Refusal::Known),
            ("transaction already imported", Refusal::Known),
            ("AlreadyKnown", Refusal::Known),
            ("Known transaction", Refusal::Known),
            (
                "nonce too low: next nonce 5, tx nonce 4",
                Refusal::NonceUsed,
            ),
            ("nonce too low", Refusal::NonceUsed),
            (
                "OldNonce, Current nonce: 5, nonce of rejected tx: 4",
                Refusal::NonceUsed,
            ),
            ("replacement transaction underpriced", Refusal::NonceTaken),
            ("ReplacementNotAllowed", Refusal::NonceTaken),
            (
                "transaction underpriced: tip needed 1, tip permitted 0",
                Refusal::Other,
            ),
            (
                "insufficient funds for gas * price + value: balance 0",
                Refusal::FundsMissing,
            ),
            (
                "Insufficient funds for gas * price + value",
                Refusal::FundsMissing,
            ),
            ("intrinsic gas too low", Refusal::Other),
            ("invalid chain id for signer: have 1 want 2", Refusal::Other),
        ] {
            assert_eq!(Refusal::of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_revert_without_data_is_still_a_revert() {
        assert!(is_revert(3, "execution reverted"));
        assert!(is_revert(-32000, "Execution reverted"));
        assert!(!is_revert(-32000, "nonce too low"));
    }
}
