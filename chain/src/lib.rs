//! The node of the GIO coin: it keeps the chain, follows the branch with the most work, and
//! never loses a block it accepted.
