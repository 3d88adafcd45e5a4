//! Which file names a unit may see or write (`docs/protocol.md` section 3).

use thiserror::Error;

/// Longest path: what every common file system takes as one name.
pub const PATH_BYTES_MAX: usize = 255;

/// A path that no image holds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// 1 to [`PATH_BYTES_MAX`] bytes.
    #[error("a path has 1 to {PATH_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// Absolute, or a component is empty, `.` or `..`.
    #[error("`{0}` is not a plain relative path")]
    NotRelative(String),
    /// NUL or backslash.
    #[error("`{0:?}` holds a NUL byte or a backslash")]
    Character(String),
}

/// Checks one path.
///
/// # Errors
/// [`PathError`].
pub fn check_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        return Err(PathError::Length(path.len()));
    }
    if path.contains(['\0', '\\']) {
        return Err(PathError::Character(path.to_owned()));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(PathError::NotRelative(path.to_owned()));
    }
    Ok(())
}

/// The first path in `sorted` that is also a folder of another one.
pub(crate) fn folder_clash<'a>(sorted: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let paths: std::collections::BTreeSet<&str> = sorted.into_iter().collect();
    paths.iter().copied().find(|path| {
        let mut folder = (*path).to_owned();
        folder.push('/');
        paths
            .range(folder.as_str()..)
            .next()
            .is_some_and(|next| next.starts_with(&folder))
    })
}
