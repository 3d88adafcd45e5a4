//! The table of open descriptors, and the calls that are about descriptors themselves.

use std::collections::BTreeMap;

use super::Wasi;
use super::abi::{
    Answer, Args, Errno, FLAG_APPEND, FileStat, FileType, Guest, RIGHT_FD_READ, RIGHT_FD_WRITE,
    RIGHTS_ALL, RIGHTS_STREAM, encode_fdstat,
};
use super::tree::{NodeId, ROOT, Stream};

/// Most descriptors open at once: the customary limit of a process.
const DESCRIPTORS_MAX: usize = 1024;

/// What a descriptor stands for.
#[derive(Clone, Debug)]
pub(super) enum Descriptor {
    Input,
    Output(Stream),
    Folder(Folder),
    File(File),
}

#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) node: NodeId,
    /// The path under which a program finds it from the start.
    preopened: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) node: NodeId,
    pub(super) position: u64,
    pub(super) append: bool,
    pub(super) read: bool,
    pub(super) write: bool,
}

#[derive(Debug)]
pub(super) struct Descriptors {
    open: BTreeMap<u32, Descriptor>,
    pub(super) stdin: Vec<u8>,
    pub(super) stdin_position: usize,
}

impl Descriptors {
    /// The three streams, and the root under both names that C libraries look for: `/` for absolute paths,
    /// `.` for relative ones.
    pub(super) fn new(stdin: Vec<u8>) -> Self {
        let root = |path| {
            Descriptor::Folder(Folder {
                node: ROOT,
                preopened: Some(path),
            })
        };
        let open = [
            Descriptor::Input,
            Descriptor::Output(Stream::Output),
            Descriptor::Output(Stream::Error),
            root("/"),
            root("."),
        ];
        Self {
            open: (0..).zip(open).collect(),
            stdin,
            stdin_position: 0,
        }
    }

    pub(super) fn get(&self, fd: u32) -> Answer<&Descriptor> {
        Ok(self.open.get(&fd).ok_or(Errno::BADF)?)
    }

    pub(super) fn get_mut(&mut self, fd: u32) -> Answer<&mut Descriptor> {
        Ok(self.open.get_mut(&fd).ok_or(Errno::BADF)?)
    }

    pub(super) fn folder(&self, fd: u32) -> Answer<NodeId> {
        match self.get(fd)? {
            Descriptor::Folder(folder) => Ok(folder.node),
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    /// The lowest number that is free.
    pub(super) fn vacant(&self) -> Answer<u32> {
        if self.open.len() >= DESCRIPTORS_MAX {
            return Err(Errno::MFILE.into());
        }
        let taken = self.open.keys().zip(0..).take_while(|(fd, at)| *fd == at);
        u32::try_from(taken.count()).map_err(|_| Errno::MFILE.into())
    }

    pub(super) fn insert(&mut self, fd: u32, descriptor: Descriptor) {
        self.open.insert(fd, descriptor);
    }
}

impl Descriptor {
    pub(super) fn folder(node: NodeId) -> Self {
        Self::Folder(Folder {
            node,
            preopened: None,
        })
    }

    fn node(&self) -> Option<NodeId> {
        match self {
            Self::Input | Self::Output(_) => None,
            Self::Folder(folder) => Some(folder.node),
            Self::File(file) => Some(file.node),
        }
    }
}

impl Wasi {
    /// Calls that have nothing to do, because nothing is ever cached.
    pub(super) fn fd_known(&self, args: Args<'_>) -> Answer {
        self.descriptors.get(args.u32(0)).map(|_| ())
    }

    pub(super) fn fd_close(&mut self, args: Args<'_>) -> Answer {
        let closed = self.descriptors.open.remove(&args.u32(0));
        self.let_go(&closed.ok_or(Errno::BADF)?);
        Ok(())
    }

    /// Moves a descriptor to another number, closing what was there.
    pub(super) fn fd_renumber(&mut self, args: Args<'_>) -> Answer {
        let (from, to) = (args.u32(0), args.u32(1));
        self.descriptors.get(from)?;
        self.descriptors.get(to)?;
        if from == to {
            return Ok(());
        }
        if let Some(moved) = self.descriptors.open.remove(&from)
            && let Some(closed) = self.descriptors.open.insert(to, moved)
        {
            self.let_go(&closed);
        }
        Ok(())
    }

    fn let_go(&mut self, descriptor: &Descriptor) {
        match descriptor {
            Descriptor::Folder(Folder {
                preopened: Some(_), ..
            }) => {}
            other => {
                if let Some(node) = other.node() {
                    self.tree.release(node);
                }
            }
        }
    }

    pub(super) fn fd_fdstat_get(&self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let stat = match self.descriptors.get(args.u32(0))? {
            Descriptor::Input => {
                encode_fdstat(FileType::Unknown, 0, RIGHTS_STREAM & !RIGHT_FD_WRITE)
            }
            Descriptor::Output(_) => encode_fdstat(
                FileType::Unknown,
                FLAG_APPEND,
                RIGHTS_STREAM & !RIGHT_FD_READ,
            ),
            Descriptor::Folder(_) => encode_fdstat(FileType::Directory, 0, RIGHTS_ALL),
            Descriptor::File(file) => {
                let mut rights = RIGHTS_ALL;
                rights &= if file.read {
                    RIGHTS_ALL
                } else {
                    !RIGHT_FD_READ
                };
                rights &= if file.write {
                    RIGHTS_ALL
                } else {
                    !RIGHT_FD_WRITE
                };
                encode_fdstat(
                    FileType::Regular,
                    u16::from(file.append) * FLAG_APPEND,
                    rights,
                )
            }
        };
        guest.write(args.u32(1), &stat)
    }

    pub(super) fn fd_fdstat_set_flags(&mut self, args: Args<'_>) -> Answer {
        match self.descriptors.get_mut(args.u32(0))? {
            Descriptor::File(file) => {
                file.append = args.u32(1) & u32::from(FLAG_APPEND) != 0;
                Ok(())
            }
            _ => Err(Errno::BADF.into()),
        }
    }

    pub(super) fn fd_filestat_get(&self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let descriptor = self.descriptors.get(args.u32(0))?;
        let stat = match descriptor.node() {
            Some(node) => self.tree.stat(node),
            None => FileStat {
                node: 0,
                kind: FileType::Unknown,
                size: 0,
            },
        };
        guest.write(args.u32(1), &stat.encode(self.clock.start_ns()))
    }

    pub(super) fn fd_prestat_get(&self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let path = self.preopened(args.u32(0))?;
        // Tag 0: a folder; then the length of its path.
        guest.write_u32(args.u32(1), 0)?;
        let length = u32::try_from(path.len()).map_err(|_| Errno::NAMETOOLONG)?;
        guest.write_u32(args.u32(1).checked_add(4).ok_or(Errno::FAULT)?, length)
    }

    pub(super) fn fd_prestat_dir_name(&self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let path = self.preopened(args.u32(0))?;
        if (args.u32(2) as usize) < path.len() {
            return Err(Errno::NAMETOOLONG.into());
        }
        guest.write(args.u32(1), path.as_bytes())
    }

    fn preopened(&self, fd: u32) -> Answer<&'static str> {
        match self.descriptors.get(fd)? {
            Descriptor::Folder(Folder {
                preopened: Some(path),
                ..
            }) => Ok(path),
            _ => Err(Errno::BADF.into()),
        }
    }
}
