//! The calls that take a path.

use super::Wasi;
use super::abi::{
    Answer, Args, Errno, FLAG_APPEND, Guest, OPEN_CREATE, OPEN_DIRECTORY, OPEN_EXCLUSIVE,
    OPEN_TRUNCATE, RIGHT_FD_READ, RIGHT_FD_WRITE,
};
use super::descriptors::{Descriptor, File};
use super::tree::{NodeId, Place};

/// Longest path argument, as on Linux; what an image can hold is shorter.
const PATH_ARGUMENT_MAX: u32 = 4096;

impl Wasi {
    pub(super) fn path_open(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let place = self.place(guest, args.u32(0), args.u32(2), args.u32(3))?;
        let flags = args.u64(4);
        let rights = args.u64(5);
        guest.check(args.u32(8), 4)?;
        let fd = self.descriptors.vacant()?;
        let node = self.open_node(&place, flags)?;
        let write = rights & RIGHT_FD_WRITE != 0;
        let descriptor = if self.tree.is_folder(node) {
            if flags & OPEN_DIRECTORY == 0 && write {
                return Err(Errno::ISDIR.into());
            }
            Descriptor::folder(node)
        } else {
            if flags & OPEN_TRUNCATE != 0 {
                self.tree.set_len(node, 0)?;
            }
            Descriptor::File(File {
                node,
                position: 0,
                append: args.u32(7) & u32::from(FLAG_APPEND) != 0,
                read: rights & RIGHT_FD_READ != 0,
                write,
            })
        };
        self.tree.hold(node);
        self.descriptors.insert(fd, descriptor);
        guest.write_u32(args.u32(8), fd)
    }

    /// The node that is there, or a new file.
    fn open_node(&mut self, place: &Place, flags: u64) -> Answer<NodeId> {
        let create = flags & OPEN_CREATE != 0;
        let Some(node) = place.node else {
            return match create {
                true if place.must_be_folder || flags & OPEN_DIRECTORY != 0 => {
                    Err(Errno::INVAL.into())
                }
                true => self.tree.create_file(place),
                false => Err(Errno::NOENT.into()),
            };
        };
        if create && flags & OPEN_EXCLUSIVE != 0 {
            return Err(Errno::EXIST.into());
        }
        let is_folder = self.tree.is_folder(node);
        if !is_folder && (place.must_be_folder || flags & OPEN_DIRECTORY != 0) {
            return Err(Errno::NOTDIR.into());
        }
        if is_folder && flags & (OPEN_CREATE | OPEN_TRUNCATE) != 0 {
            return Err(Errno::ISDIR.into());
        }
        Ok(node)
    }

    pub(super) fn path_filestat_get(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let place = self.place(guest, args.u32(0), args.u32(2), args.u32(3))?;
        let node = place.node.ok_or(Errno::NOENT)?;
        if place.must_be_folder && !self.tree.is_folder(node) {
            return Err(Errno::NOTDIR.into());
        }
        let stat = self.tree.stat(node).encode(self.clock.start_ns());
        guest.write(args.u32(4), &stat)
    }

    pub(super) fn path_create_directory(
        &mut self,
        guest: &mut Guest<'_>,
        args: Args<'_>,
    ) -> Answer {
        let place = self.place(guest, args.u32(0), args.u32(1), args.u32(2))?;
        self.tree.create_folder(&place).map(|_| ())
    }

    pub(super) fn path_remove_directory(
        &mut self,
        guest: &mut Guest<'_>,
        args: Args<'_>,
    ) -> Answer {
        let place = self.place(guest, args.u32(0), args.u32(1), args.u32(2))?;
        self.tree.remove_folder(&place)
    }

    pub(super) fn path_unlink_file(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let place = self.place(guest, args.u32(0), args.u32(1), args.u32(2))?;
        self.tree.remove_file(&place)
    }

    pub(super) fn path_rename(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let from = self.place(guest, args.u32(0), args.u32(1), args.u32(2))?;
        let to = self.place(guest, args.u32(3), args.u32(4), args.u32(5))?;
        self.tree.rename_file(&from, &to)
    }

    fn place(&self, guest: &mut Guest<'_>, fd: u32, at: u32, len: u32) -> Answer<Place> {
        let folder = self.descriptors.folder(fd)?;
        if len > PATH_ARGUMENT_MAX {
            return Err(Errno::NAMETOOLONG.into());
        }
        guest.charge_bytes(u64::from(len))?;
        let path = guest.path(at, len)?;
        self.tree.resolve(folder, &path)
    }
}
