//! Arguments and environment.

use super::abi::{Answer, Args, Errno, Guest};

/// `args_sizes_get`, `environ_sizes_get`: how many strings, and their bytes with a NUL behind each.
pub(super) fn sizes(strings: &[Vec<u8>], guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
    let bytes: usize = strings.iter().map(|string| string.len() + 1).sum();
    let count = u32::try_from(strings.len()).map_err(|_| Errno::NOSPC)?;
    let bytes = u32::try_from(bytes).map_err(|_| Errno::NOSPC)?;
    guest.write_u32(args.u32(0), count)?;
    guest.write_u32(args.u32(1), bytes)
}

/// `args_get`, `environ_get`: a table of pointers and the strings, a NUL behind each.
pub(super) fn list(strings: &[Vec<u8>], guest: &mut Guest<'_>, args: Args<'_>) -> Answer {
    let bytes: usize = strings.iter().map(|string| string.len() + 5).sum();
    guest.charge_bytes(bytes as u64)?;
    let (mut pointer, mut at) = (args.u32(0), args.u32(1));
    for string in strings {
        guest.write_u32(pointer, at)?;
        guest.write(at, string)?;
        let length = u32::try_from(string.len()).map_err(|_| Errno::FAULT)?;
        let end = at.checked_add(length).ok_or(Errno::FAULT)?;
        guest.write(end, &[0])?;
        at = end.checked_add(1).ok_or(Errno::FAULT)?;
        pointer = pointer.checked_add(4).ok_or(Errno::FAULT)?;
    }
    Ok(())
}
