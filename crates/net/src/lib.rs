//! The only crate that knows libp2p, gossip and gRPC and their wire format.
//!
//! One secp256k1 key per machine is its EVM account, its libp2p peer id and the signer of its messages.
//! [`Net::start`] runs a node; [`Net::channel`] gives a tonic channel to any peer, [`Net::serve`] answers
//! calls whose [`Caller`] is always authenticated, and announcements of hubs travel by gossip.
//! The messages are those of package `gio.v1` in [`wire`].

mod announcement;
mod behaviour;
pub mod blob;
mod channel;
mod client;
mod config;
mod directory;
mod error;
mod gossip;
mod hubs;
mod identity;
mod limits;
mod net;
mod node;
mod serve;
mod stream;
pub mod wire;

pub use announcement::{
    ANNOUNCEMENT_BYTES_MAX, ANNOUNCEMENT_SECONDS, ANNOUNCEMENT_SECONDS_MAX, Announcement,
    AnnouncementError, VerifiedAnnouncement,
};
pub use client::{content_client, directory_client, market_client, work_client};
pub use config::NetConfig;
pub use error::{Attempt, ConnectError, Hop, Refusal};
pub use gossip::HUBS_TOPIC;
pub use hubs::{Announcements, NotTaken};
pub use identity::{address_of, peer_id_of, peer_of_addr, public_key_of};
pub use libp2p::{Multiaddr, PeerId};
pub use limits::{CALL_TIMEOUT, CHUNK_BYTES_MAX, MESSAGE_BYTES_MAX, call, call_within};
pub use net::{Net, NetStats, PublishError, StartNetError};
pub use serve::{Caller, ServeError, Services};
