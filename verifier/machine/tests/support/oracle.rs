//! What a run has to cost, found without the passes: from the trace of every executed operator and a naive
//! search for block heads in the generated items.

use std::collections::BTreeSet;

use gio_machine::{bulk_cu, grow_cu};
use wasm_encoder::Instruction as I;

use super::generator::{Func, Item, Program};
use super::host::Event;

/// For every operator id what its block costs, if it is the first of one.
pub struct Oracle {
    heads: Vec<Option<u64>>,
}

impl Oracle {
    pub fn new(program: &Program) -> Self {
        Self {
            heads: program.funcs.iter().flat_map(heads).collect(),
        }
    }

    /// CU used by a run that did `events` under `limit`, and whether the limit ended it.
    pub fn charge(&self, events: &[Event], limit: u64) -> (u64, bool) {
        let mut used = 0;
        for event in events {
            let cu = match *event {
                Event::Operator(id) => self.heads[id as usize].unwrap_or(0),
                Event::Bulk(bytes) => bulk_cu(bytes),
                Event::Grow(pages) => grow_cu(pages),
            };
            if used + cu > limit {
                return (used, true);
            }
            used += cu;
        }
        (used, false)
    }
}

fn counts(item: &Item) -> bool {
    match item {
        Item::Op(op) => !matches!(op, I::Block(_) | I::Loop(_) | I::Else | I::End),
        Item::BulkSize(_) | Item::GrowSize(_) => false,
    }
}

fn heads(func: &Func) -> Vec<Option<u64>> {
    let items = &func.items;
    let mut leaders = BTreeSet::from([0]);
    for (at, item) in items.iter().enumerate() {
        let Item::Op(op) = item else { continue };
        match op {
            I::If(_) | I::Else | I::Return | I::Unreachable => {
                leaders.insert(at + 1);
            }
            I::Br(depth) | I::BrIf(depth) => {
                leaders.insert(at + 1);
                leaders.insert(label(items, at, *depth));
            }
            I::BrTable(targets, default) => {
                leaders.insert(at + 1);
                for depth in targets.iter().chain([default]) {
                    leaders.insert(label(items, at, *depth));
                }
            }
            _ => {}
        }
        if matches!(op, I::If(_)) {
            leaders.insert(end_of(items, at) + 1);
        }
    }
    let mut heads = vec![None; items.len()];
    let mut block = 0;
    for (at, item) in items.iter().enumerate() {
        if leaders.contains(&at) {
            block = usize::MAX;
        }
        if counts(item) {
            if block == usize::MAX {
                block = at;
            }
            *heads[block].get_or_insert(0) += 1;
        }
    }
    heads
}

/// Where a branch at `at` to the label `depth` continues.
fn label(items: &[Item], at: usize, depth: u32) -> usize {
    let mut open = 0;
    for before in (0..at).rev() {
        let Item::Op(op) = &items[before] else {
            continue;
        };
        match op {
            I::End => open += 1,
            I::Block(_) | I::Loop(_) | I::If(_) if open > 0 => open -= 1,
            I::Block(_) | I::Loop(_) | I::If(_) => {
                let skipped = items[before..at].iter().filter(|item| opens(item)).count()
                    - items[before..at].iter().filter(|item| closes(item)).count();
                if skipped == depth as usize + 1 {
                    return match op {
                        I::Loop(_) => before + 1,
                        _ => end_of(items, before) + 1,
                    };
                }
            }
            _ => {}
        }
    }
    items.len()
}

fn end_of(items: &[Item], block: usize) -> usize {
    let mut open = 0;
    for (at, item) in items.iter().enumerate().skip(block) {
        open += usize::from(opens(item));
        if closes(item) {
            open -= 1;
            if open == 0 {
                return at;
            }
        }
    }
    unreachable!("every block of a generated program ends")
}

fn opens(item: &Item) -> bool {
    matches!(item, Item::Op(I::Block(_) | I::Loop(_) | I::If(_)))
}

fn closes(item: &Item) -> bool {
    matches!(item, Item::Op(I::End))
}
