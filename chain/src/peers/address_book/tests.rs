//! What one network, one peer, one silent address can do to the book.

use super::entry::{BUCKET, FAILURES_MAX, HEARD_BUCKETS, HEARD_PER_SOURCE, MET_PER_GROUP};
use super::*;

const NOW: u64 = 2_000_000_000;

fn book() -> AddressBook {
    AddressBook::new(false, [7; 32])
}

fn at(ip: [u8; 4]) -> SocketAddr {
    SocketAddr::from((ip, 23333))
}

fn from(ip: [u8; 4]) -> IpAddr {
    IpAddr::from(ip)
}

/// Everything the owner of one /16 can say: addresses of all kinds of neighbourhoods.
fn flood(book: &mut AddressBook, source: [u8; 4], count: u32) {
    let salt = u32::from_be_bytes(source);
    for number in 0..count {
        let number = number.wrapping_add(salt.wrapping_mul(40_503));
        let [a, b, c, d] = number.wrapping_mul(2_654_435_761).to_be_bytes();
        let address = at([a | 1, b, c, d]);
        book.learn(address, from(source), NOW, NOW);
    }
}

fn buckets(book: &AddressBook, table: Table) -> BTreeSet<u16> {
    let inside = book.places.keys().filter(|place| place.table == table);
    inside.map(|place| place.bucket).collect()
}

#[test]
fn what_one_neighbourhood_tells_reaches_a_sixteenth_of_the_heard_buckets() {
    let mut book = book();
    flood(&mut book, [8, 8, 1, 1], 60_000);
    assert!(buckets(&book, Table::Heard).len() <= usize::from(HEARD_PER_SOURCE));
    assert!(book.entries.len() <= usize::from(HEARD_PER_SOURCE * BUCKET));
    // Others of the same neighbourhood reach no more; another neighbourhood does.
    flood(&mut book, [8, 8, 200, 9], 10_000);
    assert!(buckets(&book, Table::Heard).len() <= usize::from(HEARD_PER_SOURCE));
    (0..=255).for_each(|high| flood(&mut book, [9, high, 1, 1], 2000));
    assert!(buckets(&book, Table::Heard).len() > usize::from(HEARD_BUCKETS) * 9 / 10);
    assert!(book.entries.len() <= usize::from(HEARD_BUCKETS * BUCKET));
}

#[test]
fn addresses_of_one_neighbourhood_reach_a_sixteenth_of_the_met_buckets() {
    let mut book = book();
    for number in 0..=u16::MAX {
        let [c, d] = number.to_be_bytes();
        book.answered(at([8, 8, c, d]), NOW);
    }
    assert!(buckets(&book, Table::Met).len() <= usize::from(MET_PER_GROUP));
}

#[test]
fn a_flood_pushes_out_nobody_who_answered_lately_and_is_seldom_drawn() {
    let mut book = book();
    // A hundred honest nodes of as many neighbourhoods, told by as many and met.
    let honest: Vec<SocketAddr> = (0..100).map(|n| at([60, n, 3, 4])).collect();
    for address in &honest {
        book.answered(*address, NOW);
    }
    let met: Vec<SocketAddr> = book.entries.keys().copied().collect();
    flood(&mut book, [8, 8, 1, 1], 60_000);
    assert!(met.iter().all(|address| book.entries.contains_key(address)));
    let drawn = (0..400).filter_map(|_| book.candidate(NOW, |_| false));
    let good = drawn.filter(|address| honest.contains(address)).count();
    assert!(good > 120, "{good} of 400 draws are honest");
}

#[test]
fn somebody_new_takes_the_place_of_one_that_answered_long_ago_only() {
    let mut book = book();
    let mut lost = None;
    for number in 0..=u16::MAX {
        let [c, d] = number.to_be_bytes();
        book.answered(at([8, 8, c, d]), NOW);
        let entry = book.entries.get(&at([8, 8, c, d]));
        if entry.is_none_or(|entry| entry.place.table == Table::Heard) {
            lost = Some(at([8, 8, c, d]));
            break;
        }
    }
    let newcomer = lost.expect("the buckets of one neighbourhood are soon full");
    book.answered(newcomer, NOW + MET_RECENTLY);
    assert_eq!(book.entries[&newcomer].place.table, Table::Met);
}

#[test]
fn addresses_nobody_can_reach_are_not_kept() {
    let mut book = book();
    for ip in [
        [127, 0, 0, 1],
        [10, 1, 2, 3],
        [0, 0, 0, 0],
        [224, 0, 0, 1],
        [192, 168, 0, 1],
    ] {
        book.learn(at(ip), from([8, 8, 8, 8]), NOW, NOW);
    }
    for text in ["[fe80::1]:5", "[::ffff:127.0.0.1]:5", "8.8.8.8:0"] {
        let address = text.parse().unwrap();
        book.learn(address, from([8, 8, 8, 8]), NOW, NOW);
        book.answered(address, NOW);
    }
    assert_eq!(book.entries.len(), 0);
    let mut local = AddressBook::new(true, [7; 32]);
    local.learn(at([127, 0, 0, 1]), from([127, 0, 0, 1]), NOW, NOW);
    assert_eq!(local.entries.len(), 1);
}

#[test]
fn an_address_that_fails_waits_ever_longer_and_is_forgotten() {
    let mut book = book();
    let address = at([8, 8, 8, 8]);
    book.learn(address, from([9, 9, 9, 9]), NOW, NOW);
    let mut now = NOW;
    let mut waits = vec![];
    while !book.entries.is_empty() {
        let begun = now;
        while book.candidate(now, |_| false).is_none() {
            now += 1;
        }
        waits.push(now - begun);
        book.trying(address, now);
    }
    assert_eq!(waits, [0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
    assert!(book.places.is_empty());
}

#[test]
fn who_answered_once_is_kept_and_those_taken_are_passed_over() {
    let mut book = book();
    let (good, other) = (at([8, 8, 8, 8]), at([9, 9, 9, 9]));
    book.learn(other, from([5, 5, 5, 5]), NOW, NOW);
    book.answered(good, NOW);
    for _ in 0..20 {
        let drawn = book.candidate(NOW, |taken| *taken == good);
        assert_eq!(drawn, Some(other));
    }
    for _ in 0..2 * FAILURES_MAX {
        book.trying(good, NOW);
    }
    assert_eq!(book.entries.len(), 2);
}

#[test]
fn a_book_comes_back_from_its_file_and_garbage_does_not() {
    let mut book = book();
    flood(&mut book, [8, 8, 1, 1], 500);
    (0..50).for_each(|n| book.answered(at([60, n, 3, 4]), NOW));
    let bytes = serde_json::to_vec(&SavedBook::of(&book)).unwrap();
    let again: SavedBook = serde_json::from_slice(&bytes).unwrap();
    let again = again.open(false, NOW);
    assert_eq!(again.entries, book.entries);
    assert_eq!(again.places, book.places);
    assert!(serde_json::from_slice::<SavedBook>(&bytes[..bytes.len() / 2]).is_err());
}

#[test]
fn a_peer_is_told_what_is_worth_trying_and_not_everything() {
    let mut book = book();
    for n in 0..=255 {
        (0..4)
            .for_each(|m| book.learn(at([60 + m, n, 3, 4]), from([70 + m, n, 1, 1]), NOW - 5, NOW));
    }
    let old = at([8, 8, 8, 8]);
    book.learn(old, from([8, 8, 8, 8]), NOW - 31 * 24 * 3600, NOW);
    let told = book.told(NOW);
    assert_eq!(told.len(), TOLD_MAX);
    assert!(told.iter().all(|(address, _)| *address != old));
}
