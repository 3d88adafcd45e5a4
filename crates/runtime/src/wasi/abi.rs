//! How WASI preview 1 looks in memory: numbers, flags, layouts, and access to the guest's memory.

use super::Account;
use crate::meter::Halt;

/// Most buffers of one scattered read or write, as on Linux.
const IOVECS_MAX: u32 = 1024;

/// A WASI error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) u16);

impl Errno {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const BADF: Self = Self(8);
    pub(crate) const EXIST: Self = Self(20);
    pub(crate) const FAULT: Self = Self(21);
    pub(crate) const FBIG: Self = Self(22);
    pub(crate) const ILSEQ: Self = Self(25);
    pub(crate) const INVAL: Self = Self(28);
    pub(crate) const ISDIR: Self = Self(31);
    pub(crate) const MFILE: Self = Self(33);
    pub(crate) const NAMETOOLONG: Self = Self(37);
    pub(crate) const NOENT: Self = Self(44);
    pub(crate) const NOSPC: Self = Self(51);
    pub(crate) const NOSYS: Self = Self(52);
    pub(crate) const NOTDIR: Self = Self(54);
    pub(crate) const NOTEMPTY: Self = Self(55);
    pub(crate) const NOTSUP: Self = Self(58);
    pub(crate) const PERM: Self = Self(63);
    pub(crate) const SPIPE: Self = Self(70);
}

/// A call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The program is told.
    Errno(Errno),
    /// The run ends.
    Halt(Halt),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Halt> for Refusal {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

pub(crate) type Answer<T = ()> = Result<T, Refusal>;

/// What a descriptor or path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    /// A stream: neither a terminal nor a file.
    Unknown = 0,
    Directory = 3,
    Regular = 4,
}

pub(crate) const RIGHT_FD_READ: u64 = 1 << 1;
pub(crate) const RIGHT_FD_WRITE: u64 = 1 << 6;
const RIGHT_FD_SEEK: u64 = 1 << 2;
const RIGHT_FD_TELL: u64 = 1 << 5;
/// All rights that preview 1 defines.
pub(crate) const RIGHTS_ALL: u64 = (1 << 30) - 1;
/// Rights of a stream: everything but seeking.
pub(crate) const RIGHTS_STREAM: u64 = RIGHTS_ALL & !(RIGHT_FD_SEEK | RIGHT_FD_TELL);

pub(crate) const OPEN_CREATE: u64 = 1;
pub(crate) const OPEN_DIRECTORY: u64 = 1 << 1;
pub(crate) const OPEN_EXCLUSIVE: u64 = 1 << 2;
pub(crate) const OPEN_TRUNCATE: u64 = 1 << 3;

pub(crate) const FLAG_APPEND: u16 = 1;

/// Parameters of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a>(pub(crate) &'a [u64]);

impl Args<'_> {
    pub(crate) fn u64(self, index: usize) -> u64 {
        self.0[index]
    }

    /// The table gives every parameter its type, so an `i32` is never wider.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "i32 parameters arrive zero-extended"
    )]
    pub(crate) fn u32(self, index: usize) -> u32 {
        self.0[index] as u32
    }
}

/// A buffer in the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffer {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

/// The guest that is calling: its memory, and what it may still use.
#[derive(Debug)]
pub(crate) struct Guest<'a> {
    pub(crate) memory: &'a mut [u8],
    pub(crate) account: Account<'a>,
}

impl Guest<'_> {
    pub(crate) fn charge(&mut self, cu: u64) -> Result<(), Halt> {
        self.account.meter.charge(&mut self.account.left, cu)
    }

    pub(crate) fn charge_bytes(&mut self, bytes: u64) -> Result<(), Halt> {
        self.account
            .meter
            .charge_bytes(&mut self.account.left, bytes)
    }

    pub(crate) fn bytes(&self, buffer: Buffer) -> Answer<&[u8]> {
        let range = buffer.at as usize..buffer.at as usize + buffer.len as usize;
        Ok(self.memory.get(range).ok_or(Errno::FAULT)?)
    }

    pub(crate) fn bytes_mut(&mut self, buffer: Buffer) -> Answer<&mut [u8]> {
        let range = buffer.at as usize..buffer.at as usize + buffer.len as usize;
        Ok(self.memory.get_mut(range).ok_or(Errno::FAULT)?)
    }

    pub(crate) fn check(&self, at: u32, len: u32) -> Answer {
        self.bytes(Buffer { at, len }).map(|_| ())
    }

    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> Answer {
        let start = at as usize;
        let room = self.memory.get_mut(start..start + bytes.len());
        room.ok_or(Errno::FAULT)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn write_u32(&mut self, at: u32, value: u32) -> Answer {
        self.write(at, &value.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, at: u32, value: u64) -> Answer {
        self.write(at, &value.to_le_bytes())
    }

    /// A path argument.
    pub(crate) fn path(&self, at: u32, len: u32) -> Answer<String> {
        let bytes = self.bytes(Buffer { at, len })?;
        let path = std::str::from_utf8(bytes).map_err(|_| Errno::ILSEQ)?;
        Ok(path.to_owned())
    }

    /// The buffers of a scattered read or write, all of them inside memory, and their length together.
    pub(crate) fn buffers(&self, at: u32, count: u32) -> Answer<(Vec<Buffer>, u32)> {
        if count > IOVECS_MAX {
            return Err(Errno::INVAL.into());
        }
        let table = self.bytes(Buffer { at, len: count * 8 })?;
        let mut total: u32 = 0;
        let mut buffers = Vec::with_capacity(count as usize);
        for entry in table.chunks_exact(8) {
            let word = |at: usize| {
                u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
            };
            let buffer = Buffer {
                at: word(0),
                len: word(4),
            };
            self.bytes(buffer)?;
            total = total.checked_add(buffer.len).ok_or(Errno::INVAL)?;
            buffers.push(buffer);
        }
        Ok((buffers, total))
    }
}

/// What `fd_filestat_get` and `path_filestat_get` tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileStat {
    pub(crate) node: u64,
    pub(crate) kind: FileType,
    pub(crate) size: u64,
}

impl FileStat {
    /// The 64 bytes of a `filestat`; all times are the start of the unit's clock.
    pub(crate) fn encode(&self, time_ns: u64) -> [u8; 64] {
        let mut out = [0; 64];
        let fields = [
            1,
            self.node,
            self.kind as u64,
            1,
            self.size,
            time_ns,
            time_ns,
            time_ns,
        ];
        for (slot, field) in out.chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        out
    }
}

/// The 24 bytes of an `fdstat`.
pub(crate) fn encode_fdstat(kind: FileType, flags: u16, rights: u64) -> [u8; 24] {
    let mut out = [0; 24];
    out[0] = kind as u8;
    out[2..4].copy_from_slice(&flags.to_le_bytes());
    out[8..16].copy_from_slice(&rights.to_le_bytes());
    out[16..24].copy_from_slice(&RIGHTS_ALL.to_le_bytes());
    out
}

/// The 24 bytes in front of a name that `fd_readdir` lists.
pub(crate) fn encode_dirent(next: u64, node: u64, name: usize, kind: FileType) -> [u8; 24] {
    let mut out = [0; 24];
    out[..8].copy_from_slice(&next.to_le_bytes());
    out[8..16].copy_from_slice(&node.to_le_bytes());
    let length = u32::try_from(name).unwrap_or(u32::MAX);
    out[16..20].copy_from_slice(&length.to_le_bytes());
    out[20] = kind as u8;
    out
}
