//! Gossip of announcements: topic, limits and what makes a peer lose standing.
//!
//! Every message is held until [`crate::node`] has judged it, so that nothing false is passed on.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter,
    MessageAuthenticity, PeerScoreParams, PeerScoreThresholds, TopicScoreParams, ValidationMode,
    WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;

use crate::StartNetError;

/// The topic of `docs/protocol.md` section 8; its version changes when old readers would misread.
pub const HUBS_TOPIC: &str = "gio/hubs/1";

/// Only known topics are tracked: a peer cannot make this node remember names without end.
pub(crate) type Filter = MaxCountSubscriptionFilter<WhitelistSubscriptionFilter>;
pub(crate) type Gossip = gossipsub::Behaviour<IdentityTransform, Filter>;

/// Largest gossip frame: an announcement with its gossip envelope, and lists of message ids, which are short.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Subscriptions one frame may change: there is one topic, twice for a quick change of mind.
const SUBSCRIPTIONS_PER_FRAME_MAX: usize = 4;
/// Messages per frame that are looked at: hubs announce every few minutes.
const MESSAGES_PER_FRAME_MAX: usize = 32;
/// A rejected message costs this, squared with their number: two take a peer out of gossip, three out of hearing.
const INVALID_WEIGHT: f64 = -20.0;
/// How long a rejection is held against a peer.
const INVALID_MEMORY: Duration = Duration::from_secs(10 * 60);
/// Being long in the mesh counts for little, one point per minute at most an hour, so that it never outweighs a lie.
const MESH_QUANTUM: Duration = Duration::from_secs(60);
const MESH_POINTS_MAX: f64 = 10.0;

pub(crate) fn topic() -> IdentTopic {
    IdentTopic::new(HUBS_TOPIC)
}

/// The gossip behaviour, subscribed.
pub(crate) fn behaviour(keypair: &Keypair) -> Result<Gossip, StartNetError> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(FRAME_BYTES_MAX)
        .max_publish_messages(MESSAGES_PER_FRAME_MAX)
        .build()
        .map_err(|error| StartNetError::Gossip(error.to_string()))?;
    let authenticity = MessageAuthenticity::Signed(keypair.clone());
    let gossip = |text: &str| StartNetError::Gossip(text.to_owned());
    let mut behaviour =
        Gossip::new_with_subscription_filter(authenticity, config, filter()).map_err(gossip)?;
    behaviour
        .with_peer_score(scores(), PeerScoreThresholds::default())
        .map_err(|error| gossip(&error))?;
    behaviour
        .subscribe(&topic())
        .map_err(|error| gossip(&error.to_string()))?;
    Ok(behaviour)
}

fn filter() -> Filter {
    MaxCountSubscriptionFilter {
        filter: WhitelistSubscriptionFilter(HashSet::from([topic().hash()])),
        max_subscribed_topics: SUBSCRIPTIONS_PER_FRAME_MAX,
        max_subscriptions_per_request: SUBSCRIPTIONS_PER_FRAME_MAX,
    }
}

/// Announcements are rare, so nobody is punished for delivering few (P3 is off); lies are what counts.
fn scores() -> PeerScoreParams {
    let topic_params = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 1.0,
        time_in_mesh_quantum: MESH_QUANTUM,
        time_in_mesh_cap: MESH_POINTS_MAX,
        first_message_deliveries_cap: MESH_POINTS_MAX,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_WEIGHT,
        invalid_message_deliveries_decay: gossipsub::score_parameter_decay(INVALID_MEMORY),
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: HashMap::from([(topic().hash(), topic_params)]),
        // A development network is many peers of one address; elsewhere that is one operator's crowd.
        ip_colocation_factor_whitelist: HashSet::from([
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ]),
        ..PeerScoreParams::default()
    }
}
