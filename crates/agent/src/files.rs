//! Files that are whole or not there: written beside, synced, renamed; and reading what somebody named, up to a bound.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two writers of one path, threads or processes, each write a file of their own; the last rename wins.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Most bytes of a file that people write or hand over as text: configs, jobs, consents, addresses of contracts. A job
/// specification may have as many.
pub const TEXT_BYTES_MAX: u64 = 4 << 20;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody on the machine.
    Public,
    /// The owner only: keys.
    Secret,
}

/// Writes a whole file durably: a crash leaves the old content or the new, never a part.
///
/// # Errors
/// The first failing system call.
pub fn write_durably(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("the path names no file"))?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(format!(
        ".{}.{}-{number}.tmp",
        name.to_string_lossy(),
        std::process::id()
    ));
    let mode = if access == Access::Secret {
        0o600
    } else {
        0o644
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    gio_failpoint::fail_point!("file.written");
    fs::rename(&beside, path)?;
    gio_failpoint::fail_point!("file.renamed");
    File::open(folder)?.sync_all()
}

/// Reads a whole file of at most `max` bytes. No more is ever read or held, whatever the file says its length is: it may
/// be sparse, a device without end, or grow meanwhile.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] if there is more, or the first failing system call.
pub fn read_at_most(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        let text = format!("it has more than {max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// Reads a file of at most [`TEXT_BYTES_MAX`] bytes of UTF-8.
///
/// # Errors
/// As [`read_at_most`], or [`io::ErrorKind::InvalidData`].
pub fn read_text(path: &Path) -> io::Result<String> {
    utf8(read_at_most(path, TEXT_BYTES_MAX)?)
}

/// Bytes as text.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if they are not UTF-8.
pub fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(read_at_most(&path, 4).unwrap(), b"four");
        let too_large = io::ErrorKind::FileTooLarge;
        assert_eq!(read_at_most(&path, 3).unwrap_err().kind(), too_large);
        let sparse = File::create(&path).unwrap();
        sparse.set_len(1 << 40).unwrap();
        assert_eq!(read_at_most(&path, 100).unwrap_err().kind(), too_large);
        assert_eq!(read_text(&path).unwrap_err().kind(), too_large);
        let endless = Path::new("/dev/zero");
        assert_eq!(read_at_most(endless, 100).unwrap_err().kind(), too_large);
        assert!(read_text(&dir.path().join("none")).is_err());
    }

    #[test]
    fn many_writers_of_one_path_leave_one_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::thread::scope(|scope| {
            for byte in 0..8u8 {
                let path = &path;
                scope.spawn(move || write_durably(path, &[byte; 4096], Access::Public).unwrap());
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 4096 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }
}
