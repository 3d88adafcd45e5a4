//! Every rule of `docs/protocol.md` section 8 that needs no chain refuses its breach.

use super::*;
use crate::wire::field;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn key(byte: u8) -> MachineKey {
    MachineKey::from_bytes(&[byte; 32]).unwrap()
}

pub(crate) fn announcement(key: &MachineKey, sequence: u64) -> Announcement {
    Announcement {
        owner: key.address(),
        wallet: Address::repeat_byte(9),
        chain_id: 31337,
        addrs: vec!["/ip4/127.0.0.1/tcp/4001".parse().unwrap()],
        sequence,
        issued_at: NOW,
        expires_at: NOW.after(ANNOUNCEMENT_SECONDS),
        gross_price: PricePerPu(Gio::from_units(200)),
        net_price: PricePerPu(Gio::from_units(100)),
        region: "eu".to_owned(),
        kinds: vec!["wasm".to_owned()],
        version: "0.1.0".to_owned(),
        name: "a hub".to_owned(),
    }
}

fn refusal(change: impl FnOnce(&mut Announcement)) -> AnnouncementError {
    let mut changed = announcement(&key(1), 1);
    change(&mut changed);
    VerifiedAnnouncement::verify(changed.sign(&key(1)), NOW).unwrap_err()
}

#[test]
fn what_a_hub_signs_arrives_unchanged() {
    let said = announcement(&key(1), 1);
    let verified = VerifiedAnnouncement::verify(said.sign(&key(1)), NOW).unwrap();
    assert_eq!(verified.announcement(), &said);
    assert_eq!(verified.peer(), peer_id_of(&key(1).public_key()));
}

#[test]
fn a_changed_payload_is_forged() {
    let mut signed = announcement(&key(1), 1).sign(&key(1));
    signed.payload = announcement(&key(1), 2).sign(&key(1)).payload;
    let error = VerifiedAnnouncement::verify(signed, NOW).unwrap_err();
    assert!(matches!(error, AnnouncementError::Forged(_)), "{error}");
}

#[test]
fn another_owner_is_refused() {
    let error = refusal(|a| a.owner = key(2).address());
    assert!(
        matches!(error, AnnouncementError::NotTheOwner { .. }),
        "{error}"
    );
}

#[test]
fn gossip_of_another_sender_is_refused() {
    let data = announcement(&key(1), 1).sign(&key(1)).encode_to_vec();
    let own = peer_id_of(&key(1).public_key());
    VerifiedAnnouncement::verify_gossip(&data, own, NOW).unwrap();
    let other = peer_id_of(&key(2).public_key());
    let error = VerifiedAnnouncement::verify_gossip(&data, other, NOW).unwrap_err();
    assert!(
        matches!(error, AnnouncementError::NotTheSender { .. }),
        "{error}"
    );
}

#[test]
fn time_bounds_are_exact() {
    let expired = refusal(|a| a.expires_at = NOW);
    assert!(
        matches!(expired, AnnouncementError::Expired { .. }),
        "{expired}"
    );
    assert!(expired.is_untimely());
    let ahead = refusal(|a| a.expires_at = NOW.after(ANNOUNCEMENT_SECONDS_MAX + 1));
    assert!(
        matches!(ahead, AnnouncementError::TooFarAhead { .. }),
        "{ahead}"
    );
    let mut longest = announcement(&key(1), 1);
    longest.expires_at = NOW.after(ANNOUNCEMENT_SECONDS_MAX);
    VerifiedAnnouncement::verify(longest.sign(&key(1)), NOW).unwrap();
}

#[test]
fn addresses_of_other_peers_are_refused() {
    let own = peer_id_of(&key(1).public_key());
    let other = peer_id_of(&key(2).public_key());
    let addr = |peer| format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}").parse().unwrap();
    let error = refusal(|a| a.addrs.push(addr(other)));
    assert!(matches!(error, AnnouncementError::Address(_)), "{error}");
    let mut named = announcement(&key(1), 1);
    named.addrs = vec![addr(own)];
    VerifiedAnnouncement::verify(named.sign(&key(1)), NOW).unwrap();
}

#[test]
fn sizes_are_bounded() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert!(matches!(
        refusal(|a| a.name.clone_from(&long)),
        AnnouncementError::TooLong("name")
    ));
    assert!(matches!(
        refusal(|a| a.kinds = vec![long.clone()]),
        AnnouncementError::TooLong("kinds")
    ));
    assert!(matches!(
        refusal(|a| a.addrs = vec![a.addrs[0].clone(); ADDRS_MAX + 1]),
        AnnouncementError::TooLong("addrs")
    ));
    let huge = refusal(|a| a.region = "x".repeat(ANNOUNCEMENT_BYTES_MAX));
    assert!(matches!(huge, AnnouncementError::Oversize { .. }), "{huge}");
}

#[test]
fn broken_envelopes_are_refused() {
    let good = announcement(&key(1), 1).sign(&key(1));
    let mut no_key = good.clone();
    no_key.public_key = field::bytes([5; 33]);
    let mut short = good.clone();
    short.signature = field::bytes([0; 64]);
    let mut empty = good;
    empty.payload = Bytes::new();
    for broken in [no_key, short, empty] {
        assert!(VerifiedAnnouncement::verify(broken, NOW).is_err());
    }
    let peer = PeerId::random();
    assert!(VerifiedAnnouncement::verify_gossip(b"\xff\xff", peer, NOW).is_err());
}
