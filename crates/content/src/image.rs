//! Images (F2): a unit's whole input, or whole output, as one canonical byte string.
//!
//! # Correctness
//! A decoder accepts exactly what the encoder produces: it re-encodes what it read and compares.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::path::{PathError, check_path, folder_clash};

const MAGIC: [u8; 8] = *b"GIOIMG1\0";
const WORD: usize = 32;
/// Most entries of an image; the table then stays below 20 MiB.
pub const ENTRIES_MAX: usize = 65_535;

const KIND_ARGUMENT: u8 = 1;
const KIND_ENVIRONMENT: u8 = 2;
const KIND_INPUT_FILE: u8 = 3;
const KIND_STDIN: u8 = 4;
const KIND_STDOUT: u8 = 5;
const KIND_STDERR: u8 = 6;
const KIND_OUTPUT_FILE: u8 = 7;

/// Something that is no image, or cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImageError {
    /// Not the first bytes of an image.
    #[error("this is not an image")]
    Magic,
    /// The bytes end inside a field, or an entry points outside.
    #[error("the image is cut off")]
    Truncated,
    /// An entry of the other family, or of none.
    #[error("entry kind {0} has no place in this image")]
    Kind(u8),
    /// The same content has another, canonical encoding.
    #[error("the image is not in canonical form")]
    NotCanonical,
    /// At most [`ENTRIES_MAX`].
    #[error("{0} entries; an image has at most {ENTRIES_MAX}")]
    Entries(usize),
    /// A file name no image holds.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A path is both a file and a folder.
    #[error("`{0}` is a file and a folder at once")]
    FolderClash(String),
    /// Empty, with `=` or NUL.
    #[error("`{0:?}` cannot be the name of an environment variable")]
    VariableName(String),
    /// An argument or a variable's value with a NUL byte would end early in every C program.
    #[error("an argument or environment value holds a NUL byte")]
    Nul,
    /// A name is not UTF-8.
    #[error("a name is not UTF-8")]
    NotUtf8,
}

/// What a unit starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputImage {
    /// Arguments, the program's name first.
    pub args: Vec<Vec<u8>>,
    /// Environment variables.
    pub env: BTreeMap<String, Vec<u8>>,
    /// Files by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Standard input.
    pub stdin: Vec<u8>,
}

/// What a unit leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputImage {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Files by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl InputImage {
    /// The canonical bytes.
    ///
    /// # Errors
    /// [`ImageError`] if a name or value breaks a rule of section 3.
    pub fn encode(&self) -> Result<Vec<u8>, ImageError> {
        if self
            .args
            .iter()
            .chain(self.env.values())
            .any(|value| value.contains(&0))
        {
            return Err(ImageError::Nul);
        }
        if let Some(name) = self
            .env
            .keys()
            .find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return Err(ImageError::VariableName(name.clone()));
        }
        check_files(&self.files)?;
        if self.args.len() > ENTRIES_MAX {
            return Err(ImageError::Entries(self.args.len()));
        }
        let indexes: Vec<[u8; 4]> = (0u32..)
            .take(self.args.len())
            .map(u32::to_be_bytes)
            .collect();
        let mut entries: Vec<Entry<'_>> = Vec::new();
        entries.extend(indexes.iter().zip(&self.args).map(|(name, data)| Entry {
            kind: KIND_ARGUMENT,
            name,
            data,
        }));
        entries.extend(
            self.env
                .iter()
                .map(|(name, data)| Entry::named(KIND_ENVIRONMENT, name, data)),
        );
        entries.extend(
            self.files
                .iter()
                .map(|(name, data)| Entry::named(KIND_INPUT_FILE, name, data)),
        );
        entries.extend(Entry::stream(KIND_STDIN, &self.stdin));
        encode(&entries)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`ImageError`] for anything [`Self::encode`] would not produce.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut image = Self::default();
        for Entry { kind, name, data } in entries(bytes)? {
            match kind {
                KIND_ARGUMENT => image.args.push(data.to_vec()),
                KIND_ENVIRONMENT => drop(image.env.insert(text(name)?, data.to_vec())),
                KIND_INPUT_FILE => drop(image.files.insert(text(name)?, data.to_vec())),
                KIND_STDIN => image.stdin = data.to_vec(),
                other => return Err(ImageError::Kind(other)),
            }
        }
        if image.encode()? == bytes {
            Ok(image)
        } else {
            Err(ImageError::NotCanonical)
        }
    }
}

impl OutputImage {
    /// The canonical bytes.
    ///
    /// # Errors
    /// [`ImageError`] if a file name breaks a rule of section 3.
    pub fn encode(&self) -> Result<Vec<u8>, ImageError> {
        check_files(&self.files)?;
        let mut entries: Vec<Entry<'_>> = Vec::new();
        entries.extend(Entry::stream(KIND_STDOUT, &self.stdout));
        entries.extend(Entry::stream(KIND_STDERR, &self.stderr));
        entries.extend(
            self.files
                .iter()
                .map(|(name, data)| Entry::named(KIND_OUTPUT_FILE, name, data)),
        );
        encode(&entries)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`ImageError`] for anything [`Self::encode`] would not produce.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut image = Self::default();
        for Entry { kind, name, data } in entries(bytes)? {
            match kind {
                KIND_STDOUT => image.stdout = data.to_vec(),
                KIND_STDERR => image.stderr = data.to_vec(),
                KIND_OUTPUT_FILE => drop(image.files.insert(text(name)?, data.to_vec())),
                other => return Err(ImageError::Kind(other)),
            }
        }
        if image.encode()? == bytes {
            Ok(image)
        } else {
            Err(ImageError::NotCanonical)
        }
    }
}

/// One row of the table with its data.
struct Entry<'a> {
    kind: u8,
    name: &'a [u8],
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    fn named(kind: u8, name: &'a str, data: &'a [u8]) -> Self {
        Self {
            kind,
            name: name.as_bytes(),
            data,
        }
    }

    fn stream(kind: u8, data: &'a [u8]) -> Option<Self> {
        (!data.is_empty()).then_some(Self {
            kind,
            name: &[],
            data,
        })
    }
}

fn check_files(files: &BTreeMap<String, Vec<u8>>) -> Result<(), ImageError> {
    files.keys().try_for_each(|path| check_path(path))?;
    match folder_clash(files.keys().map(String::as_str)) {
        Some(path) => Err(ImageError::FolderClash(path.to_owned())),
        None => Ok(()),
    }
}

fn encode(entries: &[Entry<'_>]) -> Result<Vec<u8>, ImageError> {
    if entries.len() > ENTRIES_MAX {
        return Err(ImageError::Entries(entries.len()));
    }
    let table: usize = entries.iter().map(|entry| 19 + entry.name.len()).sum();
    let mut offset = (12 + table).next_multiple_of(WORD);
    let mut out = Vec::with_capacity(
        offset
            + entries
                .iter()
                .map(|e| e.data.len().next_multiple_of(WORD))
                .sum::<usize>(),
    );
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(
        &u32::try_from(entries.len())
            .expect("at most 65,535 entries")
            .to_le_bytes(),
    );
    for entry in entries {
        out.push(entry.kind);
        let name_length =
            u16::try_from(entry.name.len()).map_err(|_| PathError::Length(entry.name.len()))?;
        out.extend_from_slice(&name_length.to_le_bytes());
        out.extend_from_slice(entry.name);
        out.extend_from_slice(&(entry.data.len() as u64).to_le_bytes());
        out.extend_from_slice(&(offset as u64).to_le_bytes());
        offset += entry.data.len().next_multiple_of(WORD);
    }
    out.resize(out.len().next_multiple_of(WORD), 0);
    for entry in entries {
        out.extend_from_slice(entry.data);
        out.resize(out.len().next_multiple_of(WORD), 0);
    }
    Ok(out)
}

fn entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>, ImageError> {
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or(ImageError::Magic)?;
    let count = u32::from_le_bytes(take(&mut rest)?) as usize;
    if count > ENTRIES_MAX {
        return Err(ImageError::Entries(count));
    }
    let mut found = Vec::new();
    for _ in 0..count {
        let [kind] = take(&mut rest)?;
        let name_length = usize::from(u16::from_le_bytes(take(&mut rest)?));
        let (name, after) = rest
            .split_at_checked(name_length)
            .ok_or(ImageError::Truncated)?;
        rest = after;
        let length = u64::from_le_bytes(take(&mut rest)?);
        let offset = u64::from_le_bytes(take(&mut rest)?);
        found.push(Entry {
            kind,
            name,
            data: slice(bytes, offset, length)?,
        });
    }
    Ok(found)
}

fn slice(bytes: &[u8], offset: u64, length: u64) -> Result<&[u8], ImageError> {
    let start = usize::try_from(offset).map_err(|_| ImageError::Truncated)?;
    let length = usize::try_from(length).map_err(|_| ImageError::Truncated)?;
    let end = start.checked_add(length).ok_or(ImageError::Truncated)?;
    bytes.get(start..end).ok_or(ImageError::Truncated)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ImageError> {
    let (head, tail) = rest.split_first_chunk().ok_or(ImageError::Truncated)?;
    *rest = tail;
    Ok(*head)
}

fn text(name: &[u8]) -> Result<String, ImageError> {
    std::str::from_utf8(name)
        .map(str::to_owned)
        .map_err(|_| ImageError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
        prop::collection::btree_map(
            "[a-z]{1,4}\\.txt",
            prop::collection::vec(any::<u8>(), 0..70),
            0..5,
        )
    }

    prop_compose! {
        fn input()(
            args in prop::collection::vec(prop::collection::vec(1u8.., 0..20), 0..6),
            env in prop::collection::btree_map("[A-Z]{1,5}", prop::collection::vec(1u8.., 0..20), 0..4),
            files in files(), stdin in prop::collection::vec(any::<u8>(), 0..70),
        ) -> InputImage { InputImage { args, env, files, stdin } }
    }

    proptest! {
        #[test]
        fn input_images_round_trip(image in input()) {
            let bytes = image.encode().unwrap();
            prop_assert_eq!(bytes.len() % 32, 0);
            prop_assert_eq!(InputImage::decode(&bytes).unwrap(), image);
        }

        #[test]
        fn output_images_round_trip(files in files(), stdout in prop::collection::vec(any::<u8>(), 0..70)) {
            let image = OutputImage { stdout, stderr: Vec::new(), files };
            prop_assert_eq!(OutputImage::decode(&image.encode().unwrap()).unwrap(), image);
        }

        #[test]
        fn one_content_has_one_encoding(image in input(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = image.encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(other) = InputImage::decode(&bytes) {
                prop_assert_ne!(other, image);
            }
        }

        #[test]
        fn foreign_bytes_never_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&MAGIC[..], &tail].concat();
            let _ = InputImage::decode(&bytes);
            let _ = OutputImage::decode(&bytes);
        }
    }

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for path in ["", "/etc/passwd", "a//b", "../a", "a/./b", "a\\b", "a\0b"] {
            let files = BTreeMap::from([(path.to_owned(), vec![])]);
            assert!(
                OutputImage {
                    files,
                    ..Default::default()
                }
                .encode()
                .is_err(),
                "{path:?}"
            );
        }
        let clash = ["a", "a-b", "a/b"].map(|path| (path.to_owned(), vec![]));
        let image = OutputImage {
            files: BTreeMap::from(clash),
            ..Default::default()
        };
        assert_eq!(image.encode(), Err(ImageError::FolderClash("a".to_owned())));
    }

    #[test]
    fn an_output_is_no_input() {
        let output = OutputImage {
            stdout: b"x".to_vec(),
            ..Default::default()
        }
        .encode()
        .unwrap();
        assert_eq!(
            InputImage::decode(&output),
            Err(ImageError::Kind(KIND_STDOUT))
        );
        assert_eq!(InputImage::decode(b"GIF89a"), Err(ImageError::Magic));
    }
}
