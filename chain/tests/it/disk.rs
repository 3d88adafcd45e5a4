//! A disk in memory that fails at a chosen operation, for good or once, and forgets what was not synced.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use gio_chain::BodyLog;
use redb::StorageBackend;

/// Operations left until something fails; shared by all disks of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Power {
    left: Arc<AtomicI64>,
    /// Whether only that one operation fails.
    once: bool,
}

impl Power {
    /// Everything fails after so many operations.
    pub(crate) fn for_operations(count: i64) -> Self {
        let left = Arc::new(AtomicI64::new(count));
        Self { left, once: false }
    }

    /// One operation finds no room after so many; later ones do.
    pub(crate) fn full_once_after(count: i64) -> Self {
        let left = Arc::new(AtomicI64::new(count));
        Self { left, once: true }
    }

    pub(crate) fn left(&self) -> i64 {
        self.left.load(Ordering::SeqCst)
    }

    fn spend(&self) -> io::Result<()> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            left if left > 0 => Ok(()),
            0 if self.once => Err(io::ErrorKind::StorageFull.into()),
            _ if self.once => Ok(()),
            _ => Err(io::Error::other("the power is out")),
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Default)]
struct Platter {
    /// What a reader sees.
    current: Vec<u8>,
    /// What survives for certain.
    synced: Vec<u8>,
    /// What may or may not survive, in order.
    unsynced: Vec<Change>,
}

/// A disk in memory.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    platter: Arc<Mutex<Platter>>,
    power: Power,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length, 0),
        Change::Write(at, data) => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at).expect("small disks")
}

impl Disk {
    pub(crate) fn with(image: Vec<u8>, power: &Power) -> Self {
        let platter = Platter {
            current: image.clone(),
            synced: image,
            unsynced: Vec::new(),
        };
        Self {
            platter: Arc::new(Mutex::new(platter)),
            power: power.clone(),
        }
    }

    /// What is on the disk after a crash: of the writes since the last sync an arbitrary
    /// part, chosen by the seed, and one of them torn.
    pub(crate) fn after_crash(&self, seed: u64) -> Vec<u8> {
        let platter = self.platter.lock().expect("no test panics while writing");
        let mut image = platter.synced.clone();
        let mut state = seed | 1;
        for change in &platter.unsynced {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            match (state >> 40) % 4 {
                0 => {}
                1 => {
                    if let Change::Write(at, data) = change {
                        let half = data[..data.len() / 2].to_vec();
                        apply(&mut image, &Change::Write(*at, half));
                    }
                }
                _ => apply(&mut image, change),
            }
        }
        image
    }

    /// What is on the disk after a clean end.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.platter
            .lock()
            .expect("no test panics while writing")
            .current
            .clone()
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.power.spend()?;
        let mut platter = self.platter.lock().expect("no test panics while writing");
        apply(&mut platter.current, &change);
        platter.unsynced.push(change);
        Ok(())
    }

    fn synced(&self) -> io::Result<()> {
        self.power.spend()?;
        let mut platter = self.platter.lock().expect("no test panics while writing");
        platter.synced = platter.current.clone();
        platter.unsynced.clear();
        Ok(())
    }

    fn length(&self) -> u64 {
        self.platter
            .lock()
            .expect("no test panics while writing")
            .current
            .len() as u64
    }

    fn fill(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.platter.lock().expect("no test panics while writing");
        let start = index(offset);
        let found = platter.current.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.fill(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(index(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.synced()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(index(offset), data.to_vec()))
    }
}

impl BodyLog for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.fill(offset, out)
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(index(offset), data.to_vec()))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.synced()
    }
}
