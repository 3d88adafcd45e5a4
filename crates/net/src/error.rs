//! Which hop failed, and why.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use libp2p::swarm::DialError;
use libp2p::{Multiaddr, PeerId, TransportError, multiaddr};
use thiserror::Error;

use crate::serve::CHANNELS_PER_PEER_MAX;

/// The way a connection to a peer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// Straight to an address of the peer.
    Direct,
    /// Straight, after both sides opened their NAT through a relay.
    Punched,
    /// Through this peer.
    Relayed(PeerId),
}

impl Hop {
    /// The hop a dial of this address takes.
    #[must_use]
    pub fn of(addr: &Multiaddr) -> Self {
        let mut last_peer = None;
        for part in addr {
            match part {
                multiaddr::Protocol::P2p(peer) => last_peer = Some(peer),
                multiaddr::Protocol::P2pCircuit => {
                    return last_peer.map_or(Self::Direct, Self::Relayed);
                }
                _ => {}
            }
        }
        Self::Direct
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::Punched => f.write_str("punched"),
            Self::Relayed(relay) => write!(f, "relayed through {relay}"),
        }
    }
}

/// One address that was tried in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where.
    pub addr: Multiaddr,
    /// Which way.
    pub hop: Hop,
    /// What came of it.
    pub reason: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.hop, self.addr, self.reason)
    }
}

/// The byte with which a server greets a stream, when it is not a welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This peer has as many open as one peer may.
    PeerLimit,
    /// The server has as many open as it may.
    TotalLimit,
    /// The caller's key is not secp256k1, so that it has no EVM account.
    NoAccount,
    /// An unknown byte: another version.
    Unknown(u8),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerLimit => write!(
                f,
                "programs with this key have {CHANNELS_PER_PEER_MAX} channels open, the most one key may; it will do when one of them ends"
            ),
            Self::TotalLimit => f.write_str("too many open channels"),
            Self::NoAccount => f.write_str("the caller's key has no EVM account"),
            Self::Unknown(code) => write!(f, "code {code}"),
        }
    }
}

/// Why a peer cannot be reached. Cloned, because several callers may wait for one dial.
#[derive(Clone, Debug, Error)]
pub enum ConnectError {
    /// Nobody said where it is.
    #[error("no address of {peer} is known")]
    NoAddress {
        /// Who was wanted.
        peer: PeerId,
    },
    /// A dial needs to know whom it expects, so that nobody else can answer.
    #[error("`{addr}` does not end in /p2p/<peer>")]
    NoPeer {
        /// What was asked for.
        addr: Multiaddr,
    },
    /// Every address was tried.
    #[error("{peer} cannot be reached ({})", list(.attempts))]
    Unreachable {
        /// Who was wanted.
        peer: PeerId,
        /// What was tried.
        attempts: Vec<Attempt>,
    },
    /// Somebody else lives there.
    #[error("at {addr} ({hop}) answers {found}, not {peer}")]
    WrongPeer {
        /// Who was wanted.
        peer: PeerId,
        /// Who answered.
        found: PeerId,
        /// Where.
        addr: Multiaddr,
        /// Which way.
        hop: Hop,
    },
    /// This node's own limits do not allow it.
    #[error("a connection to {peer} was not made: {reason}")]
    Denied {
        /// Who was wanted.
        peer: PeerId,
        /// Which limit.
        reason: String,
    },
    /// Connected, but no server of this protocol runs there.
    #[error("{peer} ({hop}) serves no gio calls")]
    NotServing {
        /// Who was asked.
        peer: PeerId,
        /// Which way.
        hop: Hop,
    },
    /// Connected, and the server said no.
    #[error("{peer} ({hop}) refused the channel: {refusal}")]
    Refused {
        /// Who was asked.
        peer: PeerId,
        /// Which way.
        hop: Hop,
        /// Why.
        refusal: Refusal,
    },
    /// Connected, but the stream broke before the server's greeting.
    #[error("the channel to {peer} ({hop}) broke before it was greeted")]
    Broken {
        /// Who was asked.
        peer: PeerId,
        /// Which way.
        hop: Hop,
        /// How.
        #[source]
        source: Arc<io::Error>,
    },
    /// No answer in time.
    #[error("{peer} did not answer within {seconds} s while {step}")]
    Timeout {
        /// Who was asked.
        peer: PeerId,
        /// How long was waited.
        seconds: u64,
        /// What was waited for.
        step: &'static str,
    },
    /// This node is shutting down.
    #[error("this node is shutting down")]
    Stopped,
}

impl ConnectError {
    /// Whether the same call may succeed in a moment without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. }
            | Self::NotServing { .. }
            | Self::Denied { .. } => true,
            Self::Refused { refusal, .. } => {
                matches!(refusal, Refusal::PeerLimit | Refusal::TotalLimit)
            }
            Self::NoAddress { .. }
            | Self::NoPeer { .. }
            | Self::WrongPeer { .. }
            | Self::Stopped => false,
        }
    }

    pub(crate) fn of_dial(peer: PeerId, error: DialError) -> Self {
        match error {
            DialError::NoAddresses => Self::NoAddress { peer },
            DialError::WrongPeerId { obtained, address } => Self::WrongPeer {
                peer,
                found: obtained,
                hop: Hop::of(&address),
                addr: address,
            },
            DialError::LocalPeerId { address } => Self::WrongPeer {
                peer,
                found: peer,
                hop: Hop::of(&address),
                addr: address,
            },
            DialError::Transport(failures) => Self::Unreachable {
                peer,
                attempts: failures.into_iter().map(attempt).collect(),
            },
            denied @ (DialError::Denied { .. }
            | DialError::Aborted
            | DialError::DialPeerConditionFalse(_)) => Self::Denied {
                peer,
                reason: chain(&denied),
            },
        }
    }
}

fn attempt((addr, error): (Multiaddr, TransportError<io::Error>)) -> Attempt {
    Attempt {
        hop: Hop::of(&addr),
        addr,
        reason: match error {
            TransportError::MultiaddrNotSupported(_) => "unsupported address".to_owned(),
            TransportError::Other(error) => chain(&error),
        },
    }
}

/// An error with its causes, each said once: libp2p's layers repeat what they wrap.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

fn list(attempts: &[Attempt]) -> String {
    let texts: Vec<_> = attempts.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_hop() {
        let (peer, relay) = (PeerId::random(), PeerId::random());
        let direct: Multiaddr = "/ip4/10.0.0.1/tcp/4001".parse().unwrap();
        let relayed: Multiaddr = format!("/ip4/10.0.0.2/tcp/4001/p2p/{relay}/p2p-circuit")
            .parse()
            .unwrap();
        let refused = || TransportError::Other(io::ErrorKind::ConnectionRefused.into());
        let error = ConnectError::of_dial(
            peer,
            DialError::Transport(vec![(direct, refused()), (relayed.clone(), refused())]),
        );
        let text = error.to_string();
        assert!(text.contains("direct at /ip4/10.0.0.1"), "{text}");
        assert!(
            text.contains(&format!("relayed through {relay} at {relayed}")),
            "{text}"
        );
        assert!(text.contains("refused"), "{text}");
        assert!(error.is_transient());
    }

    #[test]
    fn a_cause_is_said_once() {
        let inner = io::Error::other("line cut");
        let outer = io::Error::other(inner);
        assert_eq!(chain(&outer), "line cut");
    }
}
