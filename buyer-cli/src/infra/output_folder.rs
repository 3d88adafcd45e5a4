//! Writing a result out. Files of the same name are replaced, everything else in the folder stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::layout::Files;

/// A result that could not be written.
#[derive(Debug, Error)]
#[error("cannot write {}", path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Writes all files below `folder`. Their paths are plain relative ones: images hold no others.
///
/// # Errors
/// [`WriteError`].
pub fn write(folder: &Path, files: &Files) -> Result<(), WriteError> {
    for (name, bytes) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes));
        written.map_err(|source| WriteError { path, source })?;
        gio_failpoint::fail_point!("buyer.wrote.output");
    }
    Ok(())
}

/// The folder's absolute path, so that the job can be attached to from elsewhere; it is made when the result is
/// there.
///
/// # Errors
/// [`WriteError`] if something that is no folder has its name.
pub fn resolve(folder: &Path) -> Result<PathBuf, WriteError> {
    let error = |source| WriteError {
        path: folder.to_owned(),
        source,
    };
    let path = std::path::absolute(folder).map_err(error)?;
    if path.exists() && !path.is_dir() {
        return Err(error(io::ErrorKind::NotADirectory.into()));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_replace_their_namesakes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let out = resolve(&dir.path().join("new/out")).unwrap();
        fs::create_dir_all(&out).unwrap();
        fs::write(out.join("mine"), "mine").unwrap();
        fs::write(out.join("a"), "old").unwrap();
        let files = [("a", "1"), ("d/b", "2")];
        let files = files.map(|(name, bytes)| (name.to_owned(), bytes.as_bytes().to_vec()));
        write(&out, &files.into()).unwrap();
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(
            (read("a"), read("d/b"), read("mine")),
            ("1".into(), "2".into(), "mine".into())
        );
        let file = [("mine/x".to_owned(), vec![])];
        let error = write(&out, &file.into()).unwrap_err();
        assert!(error.to_string().contains("mine"), "{error}");
        assert!(resolve(&out.join("mine")).is_err(), "a file is no folder");
    }
}
