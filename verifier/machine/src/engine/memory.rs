//! One of the two memories: its bytes, and a tree over its pages that is brought up to date when somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use gio_protocol::B256;

use super::tree::Tree;
use crate::trees;

const WASM_PAGE: usize = 1 << 16;

/// Bytes that are marked together when something in them changes.
pub(crate) const PAGE: usize = 1 << PAGE_LOG2;
const PAGE_LOG2: usize = 12;
/// Words of a page, and how deep its own tree is.
const WORDS: usize = PAGE / 32;
const PAGE_DEPTH: u8 = 7;

/// Changed since the tree was computed, and since the last snapshot.
const UNHASHED: u8 = 1;
const UNSAVED: u8 = 2;

type Page = Arc<[u8]>;

/// A memory.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) bytes: Vec<u8>,
    /// Marks of every page.
    marks: Vec<u8>,
    tree: Tree,
    /// Pages as they were at the last snapshot; others were zero.
    saved: BTreeMap<usize, Page>,
}

/// A memory as it was.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    len: usize,
    pages: BTreeMap<usize, Page>,
}

impl Memory {
    pub(crate) fn new(pages: u32, depth: u8) -> Self {
        let len = pages as usize * WASM_PAGE;
        Self {
            bytes: vec![0; len],
            marks: vec![0; len / PAGE],
            tree: Tree::new(PAGE_DEPTH, depth - PAGE_DEPTH),
            saved: BTreeMap::new(),
        }
    }

    /// How deep its tree is.
    pub(crate) fn depth(&self) -> u8 {
        self.tree.depth() + PAGE_DEPTH
    }

    pub(crate) fn pages(&self) -> u32 {
        u32::try_from(self.bytes.len() / WASM_PAGE).expect("a memory has at most 2^16 pages")
    }

    pub(crate) fn grow(&mut self, pages: u32) {
        let len = self.bytes.len() + pages as usize * WASM_PAGE;
        self.bytes.resize(len, 0);
        self.marks.resize(len / PAGE, 0);
    }

    /// Something in `at..at + len` changes; both are inside, and `len` is not zero.
    #[inline]
    pub(crate) fn mark(&mut self, at: usize, len: usize) {
        let (first, last) = (at >> PAGE_LOG2, (at + len - 1) >> PAGE_LOG2);
        self.marks[first] = UNHASHED | UNSAVED;
        if last != first {
            self.marks[last] = UNHASHED | UNSAVED;
        }
    }

    /// Writes a part of the first state.
    pub(crate) fn load(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        for page in at / PAGE..(at + bytes.len()).div_ceil(PAGE) {
            self.marks[page] = UNHASHED | UNSAVED;
        }
    }

    fn words(&self, page: usize) -> Vec<B256> {
        let bytes = &self.bytes[page * PAGE..(page + 1) * PAGE];
        bytes.chunks_exact(32).map(B256::from_slice).collect()
    }

    pub(crate) fn update(&mut self) {
        for page in 0..self.marks.len() {
            if self.marks[page] & UNHASHED != 0 {
                self.marks[page] &= !UNHASHED;
                let root = self.page_levels(page).pop();
                let root = root.and_then(|top| top.first().copied());
                self.tree.set(page as u64, root.unwrap_or_default());
            }
        }
        self.tree.update();
    }

    fn page_levels(&self, page: usize) -> Vec<Vec<B256>> {
        let mut levels = vec![self.words(page)];
        for _ in 0..PAGE_DEPTH {
            let below = &levels[levels.len() - 1];
            let level = below.chunks_exact(2);
            levels.push(level.map(|pair| trees::parent(pair[0], pair[1])).collect());
        }
        levels
    }

    /// The root as of the last [`Memory::update`].
    pub(crate) fn root(&self) -> B256 {
        self.tree.root()
    }

    pub(crate) fn leaf(&self, word: u64) -> B256 {
        let at = usize::try_from(word * 32).unwrap_or(usize::MAX);
        let bytes = at.checked_add(32).and_then(|end| self.bytes.get(at..end));
        bytes.map_or(B256::ZERO, B256::from_slice)
    }

    /// Siblings of a word inside the memory, as of the last [`Memory::update`].
    pub(crate) fn path(&self, word: u64) -> Vec<B256> {
        let page = word / WORDS as u64;
        let place = usize::try_from(page).expect("the word is inside the memory");
        let within = usize::try_from(word % WORDS as u64).unwrap_or(0);
        let levels = self.page_levels(place);
        let inner = (0..usize::from(PAGE_DEPTH)).map(|level| levels[level][within >> level ^ 1]);
        let mut path: Vec<B256> = inner.collect();
        path.extend(self.tree.path(page));
        path
    }

    pub(crate) fn save(&mut self) -> Saved {
        for (page, mark) in self.marks.iter_mut().enumerate() {
            if *mark & UNSAVED != 0 {
                *mark &= !UNSAVED;
                let bytes = &self.bytes[page * PAGE..(page + 1) * PAGE];
                self.saved.insert(page, Arc::from(bytes));
            }
        }
        Saved {
            len: self.bytes.len(),
            pages: self.saved.clone(),
        }
    }

    /// Back to what was saved, which is an earlier or later state of the same memory.
    pub(crate) fn restore(&mut self, saved: &Saved) {
        *self = Self {
            bytes: vec![0; saved.len],
            marks: vec![0; saved.len / PAGE],
            tree: self.tree.emptied(),
            saved: saved.pages.clone(),
        };
        for (page, bytes) in &saved.pages {
            self.bytes[page * PAGE..(page + 1) * PAGE].copy_from_slice(bytes);
            self.marks[*page] = UNHASHED;
        }
    }
}
