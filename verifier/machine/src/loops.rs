//! The loops of a function that are worth keeping in registers.

use std::collections::BTreeMap;

use wasmparser::{BlockType, Operator};

use crate::blocks::Charge;
use crate::body::Op;
use crate::counted::{Counted, counted};

/// An innermost loop without calls, parameters and results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tight {
    /// Index of its `loop`.
    pub(crate) at: usize,
    /// Place of its head's charge.
    pub(crate) head: usize,
    /// The locals that it begins with, as far as it reads them before it writes them, ascending.
    pub(crate) locals: Vec<u32>,
    /// How it counts, if its rounds are known beforehand.
    pub(crate) counted: Option<Counted>,
}

/// The tight ones among the loops that begin at `heads`, in the same order.
pub(crate) fn tight(ops: &[Op<'_>], charges: &[Charge], heads: &[usize]) -> Vec<Tight> {
    let mut search = Search::default();
    let mut heads = heads.iter().peekable();
    let mut charges = charges.iter().filter(|charge| charge.loop_head).peekable();
    for (at, op) in ops.iter().enumerate() {
        match &op.operator {
            Operator::Loop { blockty } if heads.next_if_eq(&&at).is_some() => {
                while charges.next_if(|charge| charge.at < at).is_some() {}
                let head = charges.peek().filter(|_| *blockty == BlockType::Empty);
                search.open(at, head.map(|charge| charge.at));
            }
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                search.frames.push(Open::Block);
            }
            Operator::End => search.close(ops, at),
            Operator::LocalGet { local_index } => search.touch(*local_index, true),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                search.touch(*local_index, false);
            }
            Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryInit { .. }
            | Operator::MemoryGrow { .. } => search.touched = None,
            _ => {}
        }
    }
    search.found.sort_unstable_by_key(|tight| tight.at);
    search.found
}

#[derive(Debug, Default)]
struct Search {
    found: Vec<Tight>,
    frames: Vec<Open>,
    /// Locals touched since the innermost loop began, and whether they were read first; `None` where the innermost
    /// loop is not tight: outside loops, in one with parameters or results, and once there was a call or another loop.
    touched: Option<BTreeMap<u32, bool>>,
}

/// An open block.
#[derive(Clone, Copy, Debug)]
enum Open {
    /// Nothing branches back to it.
    Block,
    /// A loop that may be tight, and the place of its head's charge.
    Loop { at: usize, head: usize },
    /// A loop that is not, whatever is in it.
    OtherLoop,
}

impl Search {
    fn open(&mut self, at: usize, head: Option<usize>) {
        let opened = head.map_or(Open::OtherLoop, |head| Open::Loop { at, head });
        self.frames.push(opened);
        self.touched = head.map(|_| BTreeMap::new());
    }

    fn close(&mut self, ops: &[Op<'_>], end: usize) {
        let closed = self.frames.pop();
        if matches!(closed, None | Some(Open::Block)) {
            return;
        }
        // Whatever loop ends here, the one around it is not innermost.
        let touched = self.touched.take();
        if let (Some(Open::Loop { at, head }), Some(touched)) = (closed, touched) {
            let read_first = touched.into_iter().filter(|(_, read)| *read);
            let locals = read_first.map(|(local, _)| local).collect();
            self.found.push(Tight {
                at,
                head,
                locals,
                counted: counted(ops, at, end),
            });
        }
    }

    fn touch(&mut self, local: u32, read: bool) {
        if let Some(touched) = &mut self.touched {
            touched.entry(local).or_insert(read);
        }
    }
}
