//! The only crate that knows libp2p, gossip and gRPC and their wire format.

pub mod wire;
