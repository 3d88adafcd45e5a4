//! The index of the chain: headers, where bodies are, unspent coins, what undoes a block, and
//! which block all of that stands at.
//!
//! # Correctness
//! Every change of the tip is one transaction: coins, undo record and tip are from the same
//! block or not at all. What is committed lazily is lost together, never in part.

mod error;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use gio_coin::{
    BlockHash, BlockUndo, Coin, CoinChanges, Header, OutPoint, Reader, connect_genesis,
};
use gio_coin::{Params, sha256};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};

use crate::bodies::BodyPlace;
pub use error::StoreError;

/// Written into every store; another number is another layout.
const FORMAT: u32 = 1;
/// Memory for pages of the database.
const CACHE_BYTES: usize = 64 << 20;

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Height (big-endian, so that parents come first) and id → header, flags, place, order.
const HEADERS: TableDefinition<&[u8; 36], &[u8]> = TableDefinition::new("headers");
const UNDO: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("undo");
const COINS: TableDefinition<&[u8; 36], &[u8]> = TableDefinition::new("coins");

const META_FORMAT: &str = "format";
const META_GENESIS: &str = "genesis";
const META_TIP: &str = "tip";

/// The block's body is at hand.
const FLAG_BODY: u8 = 1;
/// The block broke a rule.
const FLAG_INVALID: u8 = 2;

/// When a commit must survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// When it returns.
    Now,
    /// With the next that must: much faster while catching up.
    Later,
}

/// A header as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredHeader {
    pub(crate) header: Header,
    pub(crate) height: u32,
    /// Where its body is, and the how-manieth that was.
    pub(crate) body: Option<(BodyPlace, u64)>,
    pub(crate) is_invalid: bool,
}

impl StoredHeader {
    fn key(&self) -> [u8; 36] {
        let mut key = [0; 36];
        key[..4].copy_from_slice(&self.height.to_be_bytes());
        key[4..].copy_from_slice(self.header.id().as_bytes());
        key
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.header.encode().to_vec();
        let body = if self.body.is_some() { FLAG_BODY } else { 0 };
        let invalid = if self.is_invalid { FLAG_INVALID } else { 0 };
        bytes.push(body | invalid);
        if let Some((place, order)) = self.body {
            bytes.extend(place.offset.to_le_bytes());
            bytes.extend(place.length.to_le_bytes());
            bytes.extend(order.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(height: u32, bytes: &[u8]) -> Result<Self, StoreError> {
        let read = || {
            let mut reader = Reader::new(bytes);
            let header = Header::read(&mut reader)?;
            let flags = reader.u8()?;
            let mut body = None;
            if flags & FLAG_BODY != 0 {
                let (offset, length) = (reader.u64()?, reader.u32()?);
                body = Some((BodyPlace { offset, length }, reader.u64()?));
            }
            reader.finish()?;
            Ok(Self {
                header,
                height,
                body,
                is_invalid: flags & FLAG_INVALID != 0,
            })
        };
        read().map_err(|source| StoreError::Damaged {
            what: "header",
            source,
        })
    }
}

/// The index of the chain.
#[derive(Debug)]
pub struct Store {
    database: Database,
}

/// The database asserts what it expects of its pages; garbage on the disk is an error here like any other.
fn guarded<T>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Unwind safe: whoever gets this error gives the store up.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(StoreError::Garbage { action }))
}

fn coin_key(point: &OutPoint) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(point.txid.as_bytes());
    key[32..].copy_from_slice(&point.index.to_be_bytes());
    key
}

impl Store {
    /// Opens or creates the store in a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, params: &Params) -> Result<Self, StoreError> {
        guarded("open", || {
            let mut builder = Database::builder();
            let database = builder.set_cache_size(CACHE_BYTES).create(path);
            Self::on(database, params)
        })
    }

    /// Opens or creates the store on this medium.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_backend(backend: impl StorageBackend, params: &Params) -> Result<Self, StoreError> {
        guarded("open", || {
            let mut builder = Database::builder();
            let database = builder
                .set_cache_size(CACHE_BYTES)
                .create_with_backend(backend);
            Self::on(database, params)
        })
    }

    fn on(
        database: Result<Database, redb::DatabaseError>,
        params: &Params,
    ) -> Result<Self, StoreError> {
        let database = database.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
            other => StoreError::Open(Box::new(other)),
        })?;
        let store = Self { database };
        match store.meta(META_FORMAT)? {
            None => store.initialise(params)?,
            Some(found) => store.check_meta(&found, params)?,
        }
        Ok(store)
    }

    fn check_meta(&self, format: &[u8], params: &Params) -> Result<(), StoreError> {
        let format = Reader::new(format).u32().unwrap_or(0);
        if format != FORMAT {
            return Err(StoreError::UnknownFormat(format));
        }
        let expected = params.genesis_id();
        let found = self.meta_id(META_GENESIS)?;
        if found != expected {
            return Err(StoreError::OtherNetwork { expected, found });
        }
        Ok(())
    }

    fn initialise(&self, params: &Params) -> Result<(), StoreError> {
        self.write(Safety::Now, |transaction| {
            let genesis = params.genesis_id();
            transaction.open_table(HEADERS)?;
            transaction.open_table(UNDO)?;
            write_changes(transaction, connect_genesis(&params.genesis))?;
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_GENESIS, &genesis.as_bytes()[..])?;
            meta.insert(META_TIP, &genesis.as_bytes()[..])?;
            meta.insert(META_FORMAT, &FORMAT.to_le_bytes()[..])?;
            Ok(())
        })
    }

    /// Forgets coins, undo records and tip, which bodies can make again.
    pub(crate) fn reset(&self, params: &Params) -> Result<(), StoreError> {
        self.write(Safety::Now, |transaction| {
            transaction.delete_table(HEADERS)?;
            transaction.delete_table(UNDO)?;
            transaction.delete_table(COINS)?;
            Ok(())
        })?;
        self.initialise(params)
    }

    fn write(
        &self,
        safety: Safety,
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        guarded("write", || {
            let begun = self.database.begin_write();
            let mut transaction = begun.map_err(StoreError::database("begin writing"))?;
            let durability = match safety {
                Safety::Now => Durability::Immediate,
                Safety::Later => Durability::None,
            };
            transaction
                .set_durability(durability)
                .map_err(StoreError::database("begin writing"))?;
            change(&transaction).map_err(StoreError::database("write"))?;
            transaction.commit().map_err(StoreError::database("commit"))
        })
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        guarded("read", || {
            let begun = self.database.begin_read();
            let transaction = begun.map_err(StoreError::database("begin reading"))?;
            read(&transaction).map_err(StoreError::database("read"))
        })
    }

    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|transaction| match transaction.open_table(META) {
            Ok(table) => Ok(table.get(key)?.map(|found| found.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    fn meta_id(&self, key: &'static str) -> Result<BlockHash, StoreError> {
        let bytes = self.meta(key)?.ok_or(StoreError::Missing(key))?;
        let id = <[u8; 32]>::try_from(bytes).map_err(|_| StoreError::Missing(key))?;
        Ok(BlockHash::from_bytes(id))
    }

    /// The block that the coins stand at.
    pub(crate) fn tip(&self) -> Result<BlockHash, StoreError> {
        self.meta_id(META_TIP)
    }

    /// All headers, parents before children; the first block's is not among them.
    pub(crate) fn headers(&self) -> Result<Vec<StoredHeader>, StoreError> {
        let rows = self.read(|transaction| {
            let table = transaction.open_table(HEADERS)?;
            let mut rows = Vec::new();
            for row in table.iter()? {
                let (key, value) = row?;
                let [h0, h1, h2, h3, ..] = *key.value();
                rows.push((u32::from_be_bytes([h0, h1, h2, h3]), value.value().to_vec()));
            }
            Ok(rows)
        })?;
        rows.iter()
            .map(|(height, bytes)| StoredHeader::decode(*height, bytes))
            .collect()
    }

    /// Writes headers, new or changed.
    pub(crate) fn put_headers(
        &self,
        headers: &[StoredHeader],
        safety: Safety,
    ) -> Result<(), StoreError> {
        self.write(safety, |transaction| {
            let mut table = transaction.open_table(HEADERS)?;
            for header in headers {
                table.insert(&header.key(), header.encode().as_slice())?;
            }
            Ok(())
        })
    }

    /// Those of these coins that exist.
    pub(crate) fn coins(
        &self,
        points: impl Iterator<Item = OutPoint>,
    ) -> Result<BTreeMap<OutPoint, Coin>, StoreError> {
        let rows = self.read(|transaction| {
            let table = transaction.open_table(COINS)?;
            let mut rows = Vec::new();
            for point in points {
                if let Some(found) = table.get(&coin_key(&point))? {
                    rows.push((point, found.value().to_vec()));
                }
            }
            Ok(rows)
        })?;
        rows.into_iter()
            .map(|(point, bytes)| Ok((point, decode_coin(&bytes)?)))
            .collect()
    }

    /// SHA-256 over all coins in the order of their keys, as `UtxoSet::digest` computes it
    /// but for the byte order of indexes; equal sets have equal digests.
    pub(crate) fn coins_digest(&self) -> Result<[u8; 32], StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(COINS)?;
            let mut running = [0; 32];
            for row in table.iter()? {
                let (key, value) = row?;
                running = sha256(&[&running, &key.value()[..], value.value()].concat());
            }
            Ok(running)
        })
    }

    /// What undoes a connected block.
    pub(crate) fn undo(&self, id: &BlockHash) -> Result<BlockUndo, StoreError> {
        let bytes = self.read(|transaction| {
            let table = transaction.open_table(UNDO)?;
            Ok(table
                .get(id.as_bytes())?
                .map(|found| found.value().to_vec()))
        })?;
        let bytes = bytes.ok_or(StoreError::Missing("an undo record"))?;
        BlockUndo::decode(&bytes).map_err(|source| StoreError::Damaged {
            what: "undo record",
            source,
        })
    }

    /// Moves the tip up to a connected block.
    pub(crate) fn connect(
        &self,
        id: &BlockHash,
        changes: CoinChanges,
        undo: &BlockUndo,
        safety: Safety,
    ) -> Result<(), StoreError> {
        self.write(safety, |transaction| {
            write_changes(transaction, changes)?;
            let mut table = transaction.open_table(UNDO)?;
            table.insert(id.as_bytes(), undo.encode().as_slice())?;
            write_tip(transaction, id)
        })
    }

    /// Moves the tip down to the parent of an undone block.
    pub(crate) fn disconnect(
        &self,
        id: &BlockHash,
        parent: &BlockHash,
        changes: CoinChanges,
    ) -> Result<(), StoreError> {
        self.write(Safety::Later, |transaction| {
            write_changes(transaction, changes)?;
            transaction.open_table(UNDO)?.remove(id.as_bytes())?;
            write_tip(transaction, parent)
        })
    }

    /// Compares every page with its checksum; false if one was wrong. Reading alone does not: it would take too long.
    pub(crate) fn is_intact(&mut self) -> Result<bool, StoreError> {
        guarded("check itself", || {
            let checked = self.database.check_integrity();
            checked.map_err(StoreError::database("check itself"))
        })
    }

    /// Makes everything committed so far safe.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.write(Safety::Now, |_| Ok(()))
    }
}

fn decode_coin(bytes: &[u8]) -> Result<Coin, StoreError> {
    Coin::decode(bytes).map_err(|source| StoreError::Damaged {
        what: "coin",
        source,
    })
}

fn write_changes(transaction: &WriteTransaction, changes: CoinChanges) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(COINS)?;
    for point in changes.removed {
        table.remove(&coin_key(&point))?;
    }
    for (point, coin) in changes.created {
        table.insert(&coin_key(&point), coin.encode().as_slice())?;
    }
    Ok(())
}

fn write_tip(transaction: &WriteTransaction, id: &BlockHash) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(META_TIP, &id.as_bytes()[..])?;
    Ok(())
}
