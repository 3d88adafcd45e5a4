//! Every message comes back as it was; everything else is refused.

use std::net::SocketAddr;

use gio_coin::{Block, BlockHash, Header, MAX_BLOCK_BYTES, Network, Params, Txid};
use proptest::prelude::*;

use super::*;

const MAGIC: [u8; 4] = *b"test";

fn genesis() -> Block {
    Params::of(Network::Regtest).genesis
}

fn address() -> impl Strategy<Value = Net> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(std::net::IpAddr::from),
        any::<[u8; 16]>().prop_map(|ip| std::net::IpAddr::from(std::net::Ipv6Addr::from(ip))),
    ];
    // A mapped address is the IPv4 one.
    (any::<u64>(), ip, any::<u16>()).prop_map(|(services, ip, port)| Net {
        services,
        address: SocketAddr::new(ip.to_canonical(), port),
    })
}

fn hello() -> impl Strategy<Value = Message> {
    let numbers = (any::<[u32; 2]>(), any::<[u64; 3]>(), any::<bool>());
    (numbers, address(), address(), "[ -~]{0,40}").prop_map(|(numbers, receiver, sender, agent)| {
        let ([version, height], [services, time, nonce], relay) = numbers;
        Message::Version(Hello {
            version,
            services,
            time,
            receiver,
            sender,
            nonce,
            agent,
            height,
            relay,
        })
    })
}

fn inventory() -> impl Strategy<Value = Vec<Inventory>> {
    let item = prop_oneof![
        any::<[u8; 32]>().prop_map(|id| Inventory::Tx(Txid::from_bytes(id))),
        any::<[u8; 32]>().prop_map(|id| Inventory::Block(BlockHash::from_bytes(id))),
        any::<[u8; 32]>().prop_map(|id| Inventory::CompactBlock(BlockHash::from_bytes(id))),
        (5..9u32, any::<[u8; 32]>()).prop_map(|(kind, id)| Inventory::Other(kind, id)),
    ];
    prop::collection::vec(item, 0..300)
}

/// The messages about blocks without what the receiver has.
fn compact() -> impl Strategy<Value = Message> {
    let id = any::<[u8; 32]>().prop_map(BlockHash::from_bytes);
    let ids = prop::collection::vec(any::<[u8; 6]>().prop_map(ShortId), 0..200);
    let positions = prop::collection::btree_set(0..200u32, 0..20);
    let transaction = || genesis().transactions[0].clone();
    prop_oneof![
        (any::<bool>(), any::<u64>())
            .prop_map(|(announce, version)| Message::SendCompact { announce, version }),
        (any::<u64>(), ids).prop_map(move |(nonce, short_ids)| {
            let last = u32::try_from(short_ids.len()).unwrap() + 1;
            Message::CompactBlock(CompactBlock {
                header: genesis().header,
                nonce,
                short_ids,
                prefilled: vec![(0, transaction()), (last, transaction())],
            })
        }),
        (id.clone(), positions).prop_map(|(block, positions)| {
            let positions = positions.into_iter().collect();
            Message::GetBlockTxn(BlockTxnRequest { block, positions })
        }),
        (id, 0..9usize).prop_map(move |(block, count)| {
            let transactions = vec![transaction(); count];
            Message::BlockTxn(BlockTxn {
                block,
                transactions,
            })
        }),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let id = any::<[u8; 32]>().prop_map(BlockHash::from_bytes);
    let header = any::<u32>().prop_map(|nonce| Header {
        nonce,
        ..genesis().header
    });
    let known = (any::<u32>(), address()).prop_map(|(seen, net)| PeerAddress { seen, net });
    prop_oneof![
        hello(),
        compact(),
        Just(Message::Verack),
        Just(Message::GetAddr),
        any::<u64>().prop_map(Message::Ping),
        any::<u64>().prop_map(Message::Pong),
        (prop::collection::vec(id.clone(), 0..=MAX_LOCATOR), id)
            .prop_map(|(locator, stop)| Message::GetHeaders { locator, stop }),
        prop::collection::vec(header, 0..300).prop_map(Message::Headers),
        inventory().prop_map(Message::Inv),
        inventory().prop_map(Message::GetData),
        inventory().prop_map(Message::NotFound),
        Just(Message::Block(genesis())),
        Just(Message::Tx(genesis().transactions[0].clone())),
        prop::collection::vec(known, 0..300).prop_map(Message::Addr),
    ]
}

fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
    let (head, payload) = bytes.split_first_chunk().unwrap();
    FrameHead::decode(head, MAGIC)?.message(payload)
}

proptest! {
    #[test]
    fn messages_come_back_as_they_were(message in message()) {
        let bytes = encode(&message, MAGIC);
        prop_assert_eq!(decode(&bytes), Ok(Frame::Known(Box::new(message))));
    }

    #[test]
    fn a_cut_or_longer_payload_is_refused(message in message(), cut in any::<prop::sample::Index>()) {
        let payload = message.payload();
        let longer = [&payload[..], &[0]].concat();
        prop_assert!(Message::decode(message.name(), &longer).unwrap().is_err());
        if !payload.is_empty() {
            let cut = &payload[..cut.index(payload.len())];
            prop_assert!(Message::decode(message.name(), cut).unwrap().is_err());
        }
    }

    #[test]
    fn garbage_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 24..400)) {
        let mut bytes = bytes;
        prop_assert!(decode(&bytes).is_err());
        bytes[..4].copy_from_slice(&MAGIC);
        prop_assert!(decode(&bytes).is_err());
        for name in ["version", "headers", "inv", "getheaders", "addr", "block", "tx", "ping"] {
            if let Some(Ok(message)) = Message::decode(name, &bytes) {
                prop_assert_eq!(message.name(), name);
            }
        }
    }
}

#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    let bytes = encode(&Message::Block(genesis()), MAGIC);
    let original = decode(&bytes).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(decode(&flipped).ok().as_ref(), Some(&original), "bit {bit}");
    }
}

#[test]
fn a_head_that_announces_too_much_is_refused_before_its_payload() {
    let mut bytes = encode(&Message::Ping(7), MAGIC);
    let announce = |bytes: &mut Vec<u8>, length: usize| {
        bytes[16..20].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
        FrameHead::decode(bytes.first_chunk().unwrap(), MAGIC)
    };
    assert!(announce(&mut bytes, 4096).is_ok());
    let refused = announce(&mut bytes, 4097).unwrap_err();
    assert!(matches!(refused, FrameError::TooLong { max: 4096, .. }));
    let mut bytes = encode(&Message::Block(genesis()), MAGIC);
    assert!(announce(&mut bytes, MAX_BLOCK_BYTES).is_ok());
    assert!(announce(&mut bytes, MAX_BLOCK_BYTES + 1).is_err());
}

#[test]
fn more_items_than_a_message_may_hold_are_refused() {
    let headers = vec![genesis().header; MAX_HEADERS + 1];
    let payload = Message::Headers(headers).payload();
    assert!(Message::decode("headers", &payload).unwrap().is_err());
    let items = vec![Inventory::Other(9, [0; 32]); MAX_INVENTORY + 1];
    let payload = Message::Inv(items).payload();
    assert!(Message::decode("inv", &payload).unwrap().is_err());
    let locator = vec![genesis().id(); MAX_LOCATOR + 1];
    let stop = genesis().id();
    let payload = Message::GetHeaders { locator, stop }.payload();
    assert!(Message::decode("getheaders", &payload).unwrap().is_err());
}

#[test]
fn a_strangers_name_cannot_steer_a_terminal() {
    let Message::Version(hello) = Message::decode("version", &{
        let mut payload = vec![0; 80];
        payload.extend([5, b'a', 0x1b, b'[', 0xff, b'm']);
        payload.extend([0; 5]);
        payload
    })
    .unwrap()
    .unwrap() else {
        panic!("decoded by name")
    };
    assert_eq!(hello.agent, "a?[?m");
}

#[test]
fn names_are_what_bitcoin_writes() {
    let bytes = encode(&Message::Verack, [0xf9, 0xbe, 0xb4, 0xd9]);
    let expected = "f9beb4d976657261636b000000000000000000005df6e0e2";
    assert_eq!(hex::encode(bytes), expected);
    let mut unknown = encode(&Message::Verack, MAGIC);
    unknown[4..10].copy_from_slice(b"sendme");
    assert_eq!(decode(&unknown), Ok(Frame::Unknown("sendme".to_owned())));
}
