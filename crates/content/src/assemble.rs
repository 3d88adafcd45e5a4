//! Assembling: how the units' outputs become the job's. Byte operations only, so that anybody can repeat them.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::image::{ImageError, OutputImage};

/// A unit's output cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the output of unit {unit} cannot be read")]
pub struct AssembleError {
    /// Which unit.
    pub unit: usize,
    /// Why.
    pub source: ImageError,
}

/// All stdouts in unit order; a missing unit adds nothing.
///
/// # Errors
/// [`AssembleError`].
pub fn concatenated(outputs: &[Option<Vec<u8>>]) -> Result<Vec<u8>, AssembleError> {
    let mut whole = Vec::new();
    for (unit, image) in present(outputs) {
        whole.extend_from_slice(&decode(unit, image)?.stdout);
    }
    Ok(whole)
}

/// Every unit's files under its index: `<unit>/<path>`.
///
/// # Errors
/// [`AssembleError`].
pub fn assembled_files(
    outputs: &[Option<Vec<u8>>],
) -> Result<BTreeMap<String, Vec<u8>>, AssembleError> {
    let mut files = BTreeMap::new();
    for (unit, image) in present(outputs) {
        let of_unit = decode(unit, image)?.files;
        files.extend(
            of_unit
                .into_iter()
                .map(|(path, bytes)| (format!("{unit}/{path}"), bytes)),
        );
    }
    Ok(files)
}

fn present(outputs: &[Option<Vec<u8>>]) -> impl Iterator<Item = (usize, &Vec<u8>)> {
    outputs
        .iter()
        .enumerate()
        .filter_map(|(unit, image)| image.as_ref().map(|image| (unit, image)))
}

fn decode(unit: usize, image: &[u8]) -> Result<OutputImage, AssembleError> {
    OutputImage::decode(image).map_err(|source| AssembleError { unit, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &[u8], files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
        let files = files
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
            .collect();
        Some(
            OutputImage {
                stdout: stdout.to_vec(),
                stderr: Vec::new(),
                files,
            }
            .encode()
            .unwrap(),
        )
    }

    #[test]
    fn outputs_join_in_unit_order_and_missing_ones_leave_a_gap() {
        let outputs = [
            output(b"a", &[("x", b"1")]),
            None,
            output(b"c", &[("d/x", b"2")]),
        ];
        assert_eq!(concatenated(&outputs).unwrap(), b"ac");
        let files = assembled_files(&outputs).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["0/x", "2/d/x"]);
        assert_eq!(concatenated(&[Some(b"junk".to_vec())]).unwrap_err().unit, 0);
    }
}
