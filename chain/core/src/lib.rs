//! The rules of the GIO coin: what a valid header, transaction, block and chain are.
