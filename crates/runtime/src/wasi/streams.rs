//! Reading, writing and moving in what a descriptor stands for.

use super::Wasi;
use super::abi::{Answer, Args, Buffer, Errno, Guest, encode_dirent};
use super::descriptors::{Descriptor, File};

impl Wasi {
    pub(super) fn fd_read(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let (buffers, wanted) = guest.buffers(args.u32(1), args.u32(2))?;
        guest.check(args.u32(3), 4)?;
        let done = match self.descriptors.get(args.u32(0))?.clone() {
            Descriptor::Input => {
                let rest = &self.descriptors.stdin[self.descriptors.stdin_position..];
                let done = scatter(guest, rest, &buffers, wanted)?;
                self.descriptors.stdin_position += done as usize;
                done
            }
            Descriptor::File(file) if file.read => {
                let rest = behind(self.tree.bytes(file.node)?, file.position);
                let done = scatter(guest, rest, &buffers, wanted)?;
                self.move_to(args.u32(0), file.position + u64::from(done))?;
                done
            }
            Descriptor::Folder(_) => return Err(Errno::ISDIR.into()),
            _ => return Err(Errno::BADF.into()),
        };
        guest.write_u32(args.u32(3), done)
    }

    pub(super) fn fd_pread(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let (buffers, wanted) = guest.buffers(args.u32(1), args.u32(2))?;
        guest.check(args.u32(4), 4)?;
        let file = self.file(args.u32(0))?;
        if !file.read {
            return Err(Errno::BADF.into());
        }
        let rest = behind(self.tree.bytes(file.node)?, args.u64(3));
        let done = scatter(guest, rest, &buffers, wanted)?;
        guest.write_u32(args.u32(4), done)
    }

    pub(super) fn fd_write(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let (buffers, total) = guest.buffers(args.u32(1), args.u32(2))?;
        guest.check(args.u32(3), 4)?;
        match self.descriptors.get(args.u32(0))?.clone() {
            Descriptor::Output(stream) => {
                guest.charge_bytes(u64::from(total))?;
                let room = self.tree.stream_room(stream, total)?;
                gather(guest, &buffers, room)?;
            }
            Descriptor::File(file) if file.write => {
                let position = match file.append {
                    true => self.tree.bytes(file.node)?.len() as u64,
                    false => file.position,
                };
                self.write_at(guest, &file, position, (&buffers, total))?;
                self.move_to(args.u32(0), position + u64::from(total))?;
            }
            _ => return Err(Errno::BADF.into()),
        }
        guest.write_u32(args.u32(3), total)
    }

    pub(super) fn fd_pwrite(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let (buffers, total) = guest.buffers(args.u32(1), args.u32(2))?;
        guest.check(args.u32(4), 4)?;
        let file = self.file(args.u32(0))?;
        if !file.write {
            return Err(Errno::BADF.into());
        }
        self.write_at(guest, &file, args.u64(3), (&buffers, total))?;
        guest.write_u32(args.u32(4), total)
    }

    fn write_at(
        &mut self,
        guest: &mut Guest<'_>,
        file: &File,
        position: u64,
        (buffers, total): (&[Buffer], u32),
    ) -> Answer {
        if total == 0 {
            return Ok(());
        }
        guest.charge_bytes(u64::from(total))?;
        // The zeros between the old end and the position are written too; the output limit bounds how many.
        let gap = position.saturating_sub(self.tree.bytes(file.node)?.len() as u64);
        self.tree.check_room(file.node, position, total)?;
        guest.charge_bytes(gap)?;
        let room = self.tree.room(file.node, position, total)?;
        gather(guest, buffers, room)
    }

    pub(super) fn fd_filestat_set_size(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let file = self.file(args.u32(0))?;
        if !file.write {
            return Err(Errno::BADF.into());
        }
        let size = args.u64(1);
        let growth = size.saturating_sub(self.tree.bytes(file.node)?.len() as u64);
        self.tree.check_room(file.node, size, 0)?;
        guest.charge_bytes(growth)?;
        self.tree.set_len(file.node, size)
    }

    pub(super) fn fd_seek(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let file = self.seekable(args.u32(0))?;
        let offset = args.u64(1).cast_signed();
        let base = match args.u32(2) {
            0 => 0,
            1 => file.position,
            2 => self.tree.bytes(file.node)?.len() as u64,
            _ => return Err(Errno::INVAL.into()),
        };
        let position = base.checked_add_signed(offset).ok_or(Errno::INVAL)?;
        if position > i64::MAX.cast_unsigned() {
            return Err(Errno::INVAL.into());
        }
        guest.write_u64(args.u32(3), position)?;
        self.move_to(args.u32(0), position)
    }

    pub(super) fn fd_tell(&mut self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let file = self.seekable(args.u32(0))?;
        guest.write_u64(args.u32(1), file.position)
    }

    /// Lists a folder from the entry `cookie` on, cutting the last one off where the buffer ends.
    pub(super) fn fd_readdir(&self, guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
        let folder = self.descriptors.folder(args.u32(0))?;
        let (at, room, cookie) = (args.u32(1), args.u32(2) as usize, args.u64(3));
        guest.check(at, args.u32(2))?;
        guest.check(args.u32(4), 4)?;
        let skip = usize::try_from(cookie).map_err(|_| Errno::INVAL)?;
        let skipped = skip.min(self.tree.list_len(folder)?);
        guest.charge(skipped as u64)?;
        let mut listed = Vec::new();
        for (index, (name, node)) in self.tree.list(folder, skip)?.enumerate() {
            if listed.len() >= room {
                break;
            }
            let stat = self.tree.stat(node);
            let next = cookie + 1 + index as u64;
            listed.extend(encode_dirent(next, stat.node, name.len(), stat.kind));
            listed.extend(name.as_bytes());
        }
        listed.truncate(room);
        guest.charge_bytes(listed.len() as u64)?;
        guest.write(at, &listed)?;
        let used = u32::try_from(listed.len()).map_err(|_| Errno::INVAL)?;
        guest.write_u32(args.u32(4), used)
    }

    fn file(&self, fd: u32) -> Answer<File> {
        match self.descriptors.get(fd)? {
            Descriptor::File(file) => Ok(file.clone()),
            Descriptor::Folder(_) => Err(Errno::ISDIR.into()),
            Descriptor::Input | Descriptor::Output(_) => Err(Errno::SPIPE.into()),
        }
    }

    fn seekable(&self, fd: u32) -> Answer<File> {
        match self.descriptors.get(fd)? {
            Descriptor::Folder(_) => Err(Errno::BADF.into()),
            _ => self.file(fd),
        }
    }

    fn move_to(&mut self, fd: u32, position: u64) -> Answer {
        if let Descriptor::File(file) = self.descriptors.get_mut(fd)? {
            file.position = position;
        }
        Ok(())
    }
}

/// The part of `bytes` from `position` on.
fn behind(bytes: &[u8], position: u64) -> &[u8] {
    usize::try_from(position)
        .ok()
        .and_then(|position| bytes.get(position..))
        .unwrap_or(&[])
}

/// Copies from the host into the guest's buffers until either ends; answers how much.
fn scatter(guest: &mut Guest<'_>, from: &[u8], buffers: &[Buffer], wanted: u32) -> Answer<u32> {
    let done = u32::try_from(from.len()).map_or(wanted, |length| length.min(wanted));
    guest.charge_bytes(u64::from(done))?;
    let mut rest = &from[..done as usize];
    for buffer in buffers {
        let room = guest.bytes_mut(*buffer)?;
        let (now, later) = rest.split_at(rest.len().min(room.len()));
        room[..now.len()].copy_from_slice(now);
        rest = later;
    }
    Ok(done)
}

/// Copies the guest's buffers one behind the other into `room`, which is exactly as large.
fn gather(guest: &Guest<'_>, buffers: &[Buffer], mut room: &mut [u8]) -> Answer {
    for buffer in buffers {
        let bytes = guest.bytes(*buffer)?;
        let (now, later) = room.split_at_mut(bytes.len());
        now.copy_from_slice(bytes);
        room = later;
    }
    Ok(())
}
