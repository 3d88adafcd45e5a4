//! WASI preview 1 over a unit's image: the handlers behind the one table of calls in `gio-machine`.
//!
//! Nothing here touches the machine: files, clock and randomness are the unit's own, so every answer is a
//! function of input image, limits and seeds. What is not implemented answers `ENOSYS`.

use gio_machine::WasiCall;

use crate::limits::UnitLimits;
use crate::meter::{Halt, Meter};

mod abi;
mod descriptors;
mod output;
mod paths;
mod process;
mod sources;
mod streams;
mod tree;

pub(crate) use abi::Guest;
use abi::{Answer, Errno};
use descriptors::Descriptors;
use sources::{Clock, Random};
use tree::Tree;

/// CU of every call of the host, whatever it does: about what the same call costs a program that brings its own
/// library, and enough that calling the host is no way to have work done for nothing.
const CALL_CU: u64 = 100;

/// Everything a program can reach besides its own memory.
#[derive(Debug)]
pub(crate) struct Wasi {
    args: Vec<Vec<u8>>,
    /// `NAME=value`, by name.
    environment: Vec<Vec<u8>>,
    clock: Clock,
    random: Random,
    tree: Tree,
    descriptors: Descriptors,
}

impl Wasi {
    pub(crate) fn new(input: gio_content::image::InputImage, limits: &UnitLimits) -> Self {
        let environment = input.env.into_iter().map(|(name, value)| {
            let mut entry = name.into_bytes();
            entry.push(b'=');
            entry.extend(value);
            entry
        });
        Self {
            args: input.args,
            environment: environment.collect(),
            clock: Clock::new(limits.clock_start),
            random: Random::new(limits.unit_seed),
            tree: Tree::new(input.files, limits.output_max),
            descriptors: Descriptors::new(input.stdin),
        }
    }

    /// What the program wrote.
    pub(crate) fn into_output(self) -> gio_content::image::OutputImage {
        let (stdout, stderr, files) = self.tree.into_output();
        gio_content::image::OutputImage {
            stdout,
            stderr,
            files,
        }
    }

    /// Answers one call; `args` are its parameters, `i32`s zero-extended.
    pub(crate) fn call(
        &mut self,
        call: WasiCall,
        guest: &mut Guest<'_>,
        args: &[u64],
    ) -> Result<Errno, Halt> {
        guest.charge(CALL_CU)?;
        match self.dispatch(call, guest, args) {
            Ok(()) => Ok(Errno::SUCCESS),
            Err(abi::Refusal::Errno(errno)) => Ok(errno),
            Err(abi::Refusal::Halt(halt)) => Err(halt),
        }
    }

    fn dispatch(&mut self, call: WasiCall, guest: &mut Guest<'_>, args: &[u64]) -> Answer {
        use WasiCall as C;
        let a = abi::Args(args);
        match call {
            C::ArgsGet => process::list(&self.args, guest, a),
            C::ArgsSizesGet => process::sizes(&self.args, guest, a),
            C::EnvironGet => process::list(&self.environment, guest, a),
            C::EnvironSizesGet => process::sizes(&self.environment, guest, a),
            C::ClockResGet => self.clock.resolution(guest, a),
            C::ClockTimeGet => self.clock.read(guest, a),
            C::RandomGet => self.random.fill(guest, a),
            C::ProcExit => Err(Halt::Exit(a.u32(0)).into()),
            C::SchedYield => Ok(()),
            C::FdAdvise | C::FdDatasync | C::FdSync => self.fd_known(a),
            C::FdClose => self.fd_close(a),
            C::FdFdstatGet => self.fd_fdstat_get(guest, a),
            C::FdFdstatSetFlags => self.fd_fdstat_set_flags(a),
            C::FdFilestatGet => self.fd_filestat_get(guest, a),
            C::FdFilestatSetSize => self.fd_filestat_set_size(guest, a),
            C::FdPread => self.fd_pread(guest, a),
            C::FdPrestatGet => self.fd_prestat_get(guest, a),
            C::FdPrestatDirName => self.fd_prestat_dir_name(guest, a),
            C::FdPwrite => self.fd_pwrite(guest, a),
            C::FdRead => self.fd_read(guest, a),
            C::FdReaddir => self.fd_readdir(guest, a),
            C::FdRenumber => self.fd_renumber(a),
            C::FdSeek => self.fd_seek(guest, a),
            C::FdTell => self.fd_tell(guest, a),
            C::FdWrite => self.fd_write(guest, a),
            C::PathCreateDirectory => self.path_create_directory(guest, a),
            C::PathFilestatGet => self.path_filestat_get(guest, a),
            C::PathOpen => self.path_open(guest, a),
            C::PathRemoveDirectory => self.path_remove_directory(guest, a),
            C::PathRename => self.path_rename(guest, a),
            C::PathUnlinkFile => self.path_unlink_file(guest, a),
            C::FdAllocate
            | C::FdFdstatSetRights
            | C::FdFilestatSetTimes
            | C::PathFilestatSetTimes
            | C::PathLink
            | C::PathReadlink
            | C::PathSymlink
            | C::PollOneoff
            | C::ProcRaise
            | C::SockAccept
            | C::SockRecv
            | C::SockSend
            | C::SockShutdown => Err(Errno::NOSYS.into()),
        }
    }
}

/// The host's side of a run's account, for [`Guest`].
#[derive(Debug)]
pub(crate) struct Account<'a> {
    pub(crate) meter: &'a mut Meter,
    /// The guest's own counter.
    pub(crate) left: i64,
}
