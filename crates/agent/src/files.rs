//! Files that are whole or not there: written beside, synced, renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two writers of one path, threads or processes, each write a file of their own; the last rename wins.
static NEXT: AtomicU64 = AtomicU64::new(0);

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

#[cfg(test)]
mod tests {
    use super::*;

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
