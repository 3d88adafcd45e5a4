use gio_content::ContentRef;
use tempfile::TempDir;

use super::*;
use crate::infra::store::tests::fresh;

const NOW: UnixSeconds = UnixSeconds(1_000);
const LARGE: usize = BLOB_BYTES_MAX + 1;

/// A store of 4 MiB, of which a peer may have 1 MiB for an hour.
async fn contents() -> (TempDir, Contents) {
    let (dir, store) = fresh().await;
    let contents = open(&dir, store).await;
    (dir, contents)
}

async fn open(dir: &TempDir, store: Store) -> Contents {
    let limits = Limits {
        content_mib: 4,
        upload_mib: 1,
        upload_minutes: 60,
        ..Limits::default()
    };
    let folder = dir.path().join("content");
    Contents::open(store, folder, &limits, MemoryBudget::new(8))
        .await
        .unwrap()
}

fn peer(number: u8) -> Address {
    Address::repeat_byte(number)
}

/// Uploads in two pieces.
async fn upload(contents: &Contents, from: u8, bytes: &[u8]) -> Result<ContentRef, ContentError> {
    let named = content_root(bytes);
    let mut upload = contents
        .upload(peer(from), named, bytes.len() as u64)
        .await?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    upload.push(first).await?;
    assert_eq!(upload.found(), first.len() as u64);
    upload.push(second).await?;
    upload.finish(NOW).await
}

fn files(dir: &TempDir) -> usize {
    std::fs::read_dir(dir.path().join("content"))
        .unwrap()
        .count()
}

async fn read(contents: &Contents, root: B256, offset: u64) -> Vec<u8> {
    let mut reader = contents.read(root, offset).await.unwrap();
    let mut whole = Vec::new();
    loop {
        let piece = reader.next(1_000).await.unwrap();
        if piece.is_empty() {
            return whole;
        }
        assert!(piece.len() <= 1_000);
        whole.extend(piece);
    }
}

#[tokio::test]
async fn contents_come_back_small_and_large_whole_and_in_pieces() {
    let (dir, contents) = contents().await;
    for length in [0, 10, BLOB_BYTES_MAX, LARGE] {
        let bytes: Vec<u8> = (0..=250u8).cycle().take(length).collect();
        let found = upload(&contents, 1, &bytes).await.unwrap();
        assert_eq!(found, ContentRef::of(&bytes));
        assert_eq!(contents.get(found.root).await.unwrap(), bytes);
        assert_eq!(read(&contents, found.root, 0).await, bytes);
        assert_eq!(
            read(&contents, found.root, length as u64 / 3).await,
            bytes[length / 3..]
        );
        assert!(
            read(&contents, found.root, length as u64 + 1)
                .await
                .is_empty()
        );
    }
    assert_eq!(files(&dir), 1, "only the large one");
    let own = contents.put(vec![7; LARGE], NOW).await.unwrap();
    assert_eq!(contents.get(own.root).await.unwrap(), vec![7; LARGE]);
    let missing = contents.get(B256::ZERO).await;
    assert!(matches!(missing, Err(ContentError::Missing(_))));
    assert!(matches!(
        contents.read(B256::ZERO, 0).await,
        Err(ContentError::Missing(_))
    ));
}

#[tokio::test]
async fn nothing_is_kept_that_is_not_what_was_announced() {
    let (dir, contents) = contents().await;
    for length in [10, LARGE] {
        let bytes = vec![1; length];
        let begin = async || {
            contents
                .upload(peer(1), B256::ZERO, length as u64)
                .await
                .unwrap()
        };
        let mut other = begin().await;
        other.push(&bytes).await.unwrap();
        assert!(matches!(
            other.finish(NOW).await,
            Err(ContentError::Root { .. })
        ));
        let mut short = begin().await;
        short.push(&bytes[1..]).await.unwrap();
        assert!(matches!(
            short.finish(NOW).await,
            Err(ContentError::Length { .. })
        ));
        let mut long = begin().await;
        long.push(&bytes).await.unwrap();
        assert!(matches!(
            long.push(&[1]).await,
            Err(ContentError::Length { .. })
        ));
        drop(long);
        begin().await.push(&bytes).await.unwrap();
    }
    assert_eq!(files(&dir), 0, "nothing is left behind");
    assert!(!contents.has(B256::ZERO).await.unwrap());
    assert_eq!(contents.usage().uploads.len(), 0);
    let large = contents
        .upload(peer(1), B256::ZERO, CONTENT_BYTES_MAX + 1)
        .await;
    assert!(matches!(large, Err(ContentError::TooLarge(_))));
}

#[tokio::test]
async fn a_peer_has_an_allowance_and_uploads_leave_half_of_the_disk() {
    let (_dir, contents) = contents().await;
    let half = 512 * 1024;
    upload(&contents, 1, &vec![1; half]).await.unwrap();
    let coming = contents
        .upload(peer(1), B256::ZERO, half as u64)
        .await
        .unwrap();
    let more = contents.upload(peer(1), B256::ZERO, 1).await;
    assert!(
        matches!(more, Err(ContentError::Allowance { .. })),
        "what is coming counts"
    );
    drop(coming);
    upload(&contents, 1, &vec![2; half]).await.unwrap();
    let small = upload(&contents, 1, b"x").await;
    assert!(
        matches!(small, Err(ContentError::Allowance { .. })),
        "small ones count"
    );
    // Another peer has its own, up to half of the store.
    upload(&contents, 2, &vec![3; half]).await.unwrap();
    upload(&contents, 2, &vec![4; half]).await.unwrap();
    let full = upload(&contents, 3, b"x").await;
    assert!(matches!(full, Err(ContentError::Full { .. })));
    // The hub's own find room until all of it is used.
    for byte in 5..9 {
        contents.put(vec![byte; half], NOW).await.unwrap();
    }
    let full = contents.put(vec![9; half], NOW).await;
    assert!(matches!(full, Err(ContentError::Full { .. })));
    assert!(contents.check_room(1).is_err(), "nothing new is signed");
    // What accepted work is billed with is kept all the same.
    let kept = contents.put_anyway(vec![9; half], NOW).await.unwrap();
    assert_eq!(contents.get(kept.root).await.unwrap(), vec![9; half]);
}

#[tokio::test]
async fn uploads_that_no_deal_uses_are_dropped_after_a_while() {
    let (dir, contents) = contents().await;
    let large = upload(&contents, 1, &vec![1; LARGE]).await.unwrap();
    let used = upload(&contents, 1, &vec![2; LARGE]).await.unwrap();
    let deal = gio_protocol::DealId(B256::ZERO);
    assert!(
        contents
            .inner
            .store
            .use_content(used.root, deal)
            .await
            .unwrap()
    );
    assert!(
        !contents
            .inner
            .store
            .use_content(B256::ZERO, deal)
            .await
            .unwrap()
    );
    assert_eq!(contents.clean(NOW.after(3_600)).await.unwrap(), 0);
    assert_eq!(contents.clean(NOW.after(3_601)).await.unwrap(), 1);
    assert!(!contents.has(large.root).await.unwrap());
    assert_eq!(contents.get(used.root).await.unwrap().len(), LARGE);
    assert_eq!(files(&dir), 1);
    let usage = contents.usage();
    assert_eq!((usage.total, usage.unused), (LARGE as u64, 0));
}

#[tokio::test]
async fn a_restart_removes_what_has_no_row_and_counts_the_rest() {
    let (dir, contents) = contents().await;
    let kept = upload(&contents, 1, &vec![1; LARGE]).await.unwrap();
    let folder = dir.path().join("content");
    std::fs::write(folder.join("new-1"), b"half").unwrap();
    std::fs::write(
        folder.join(file_name(&B256::ZERO)),
        b"killed before its row",
    )
    .unwrap();
    let again = open(&dir, contents.inner.store.clone()).await;
    assert_eq!(files(&dir), 1);
    assert_eq!(again.get(kept.root).await.unwrap().len(), LARGE);
    assert_eq!(again.usage().total, LARGE as u64);
}
