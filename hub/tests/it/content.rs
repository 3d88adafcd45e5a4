//! Uploads and downloads over the wire.

use gio_content::content_root;
use gio_net::wire::field::bytes;
use gio_net::wire::{ContentChunk, ContentRef, ContentRequest};
use gio_net::{blob, content_client};
use gio_protocol::B256;
use tonic::Code;

use crate::support::{Buyer, Market};

#[tokio::test]
async fn bytes_go_up_and_down_and_nothing_false_is_kept() {
    let market = Market::with(|config| {
        config.limits.input_mib = 1;
        config.limits.upload_mib = 1;
    })
    .await;
    let hub = market.launch().await;
    let buyer = Buyer::start(&market, &hub).await;
    let channel = || buyer.channel.clone();
    let upload = async |data: &[u8]| {
        let data = data.to_vec();
        blob::upload(channel(), content_root(&data), data.into()).await
    };
    for length in [0, 100, 300_000] {
        let data = vec![7; length];
        let kept = upload(&data).await.unwrap();
        let back = blob::download(channel(), &kept, 1 << 20).await.unwrap();
        assert_eq!(back, data);
        let held = blob::held(channel(), &[content_root(&data), B256::ZERO]).await;
        assert_eq!(held.unwrap(), [true, false]);
    }
    // In the middle of a chunk, at the end, beyond it, and what is not there.
    let root = content_root(&vec![7; 300_000]);
    let mut client = content_client(channel());
    let mut get = async |root: B256, offset| {
        let root = bytes(root);
        let mut stream = client
            .get(ContentRequest { root, offset })
            .await?
            .into_inner();
        let mut length = 0;
        while let Some(chunk) = stream.message().await? {
            assert_eq!(chunk.offset, offset + length);
            length += chunk.data.len() as u64;
        }
        Ok::<_, tonic::Status>(length)
    };
    assert_eq!(get(root, 100_000).await.unwrap(), 200_000);
    assert_eq!(get(root, 300_000).await.unwrap(), 0);
    assert_eq!(
        get(root, 300_001).await.unwrap_err().code(),
        Code::OutOfRange
    );
    assert_eq!(get(B256::ZERO, 0).await.unwrap_err().code(), Code::NotFound);

    let full = upload(&vec![8; 900_000]).await.unwrap_err().to_string();
    assert!(full.contains("in no deal yet"), "{full}");
    let lied = blob::upload(channel(), B256::ZERO, vec![1; 10].into()).await;
    assert!(lied.unwrap_err().to_string().contains("root"));
    let many = vec![B256::ZERO; blob::HAS_ROOTS_MAX + 1];
    assert!(blob::held(channel(), &many).await.is_err());
}

#[tokio::test]
async fn chunks_come_in_order_and_no_more_than_announced() {
    let market = Market::start().await;
    let hub = market.launch().await;
    let buyer = Buyer::start(&market, &hub).await;
    let root = content_root(&[1; 10]);
    let chunk = |offset, data: usize| ContentChunk {
        root: bytes(root),
        length: 10,
        offset,
        data: vec![1; data].into(),
    };
    let put = async |chunks: Vec<ContentChunk>| {
        let mut client = content_client(buyer.channel.clone());
        let reply = client.put(futures::stream::iter(chunks)).await;
        reply.map(|reply| reply.into_inner())
    };
    for bad in [
        Vec::new(),
        vec![chunk(0, 5)],
        vec![chunk(0, 5), chunk(6, 5)],
        vec![chunk(0, 5), chunk(0, 5)],
        vec![chunk(0, 11)],
        vec![chunk(5, 5)],
    ] {
        let refused = put(bad).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    let kept = put(vec![chunk(0, 5), chunk(5, 5)]).await.unwrap();
    let expected = ContentRef {
        root: bytes(root),
        length: 10,
    };
    assert_eq!(kept, expected);
    let huge = ContentChunk {
        length: u64::MAX,
        ..chunk(0, 5)
    };
    assert_eq!(
        put(vec![huge]).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}
