//! The room a unit's output may take: the bytes of the output image as it would be encoded now (F2).

use gio_content::image::ENTRIES_MAX;

use super::abi::{Answer, Errno};
use crate::meter::Halt;

const WORD: u64 = 32;
/// Magic and entry count.
const HEAD_BYTES: u64 = 12;
/// An entry without its name.
const ENTRY_BYTES: u64 = 19;

/// Counts entries, table and data of the image; refuses what would pass the limit before it is there.
#[derive(Debug)]
pub(super) struct Budget {
    max: u64,
    entries: usize,
    table: u64,
    data: u64,
}

impl Budget {
    pub(super) fn new(max: u64) -> Self {
        Self {
            max,
            entries: 0,
            table: HEAD_BYTES,
            data: 0,
        }
    }

    /// A file, folder or stream with a name of so many bytes. Folders have no entry in the image, but count
    /// as one, so that nobody can make the host keep folders without end.
    pub(super) fn add_entry(&mut self, name: usize) -> Answer {
        if self.entries == ENTRIES_MAX {
            return Err(Errno::NOSPC.into());
        }
        let table = self.table + ENTRY_BYTES + name as u64;
        self.check(table, self.data)?;
        self.table = table;
        self.entries += 1;
        Ok(())
    }

    pub(super) fn remove_entry(&mut self, name: usize) {
        self.table -= ENTRY_BYTES + name as u64;
        self.entries -= 1;
    }

    /// An entry's data changes its length.
    pub(super) fn resize(&mut self, from: u64, to: u64) -> Answer {
        self.data = self.check_resize(from, to)?;
        Ok(())
    }

    /// All data if an entry's data changed its length.
    pub(super) fn check_resize(&self, from: u64, to: u64) -> Answer<u64> {
        let rest = self.data - padded(from).ok_or(Halt::Trap)?;
        let data = padded(to)
            .and_then(|to| rest.checked_add(to))
            .ok_or(Halt::Trap)?;
        if to > from {
            self.check(self.table, data)?;
        }
        Ok(data)
    }

    /// Writing past the output limit traps, in all engines (R21).
    fn check(&self, table: u64, data: u64) -> Answer {
        let size = padded(table).and_then(|table| table.checked_add(data));
        match size {
            Some(size) if size <= self.max => Ok(()),
            _ => Err(Halt::Trap.into()),
        }
    }
}

fn padded(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(WORD)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gio_content::image::OutputImage;

    use super::*;

    #[test]
    fn the_budget_is_the_encoded_image() {
        let files = BTreeMap::from([
            ("a/b.txt".to_owned(), vec![1; 33]),
            ("c".to_owned(), vec![]),
        ]);
        let image = OutputImage {
            stdout: vec![2; 5],
            stderr: vec![],
            files,
        };
        let size = image.encode().unwrap().len() as u64;
        let fill = |max| {
            let mut budget = Budget::new(max);
            budget.add_entry(0)?;
            budget.resize(0, 5)?;
            budget.add_entry("a/b.txt".len())?;
            budget.add_entry("c".len())?;
            budget.resize(0, 33)
        };
        assert_eq!(fill(size), Ok(()));
        assert_eq!(fill(size - 1), Err(Halt::Trap.into()));
    }

    #[test]
    fn what_is_removed_can_be_used_again() {
        let mut budget = Budget::new(160);
        for _ in 0..1000 {
            budget.add_entry(20).unwrap();
            budget.resize(0, 65).unwrap();
            budget.resize(65, 0).unwrap();
            budget.remove_entry(20);
        }
        assert_eq!(budget.resize(0, u64::MAX), Err(Halt::Trap.into()));
    }
}
