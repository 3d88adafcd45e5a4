//! Fewer charges for the fast build, with the same sum wherever it can be seen.
//!
//! The counter is seen by calls and when the function returns. Anywhere else a block may be charged together with an
//! earlier one if the later usually follows the earlier: then the counter is *ahead* by a number that is
//! known at every place, and whoever sees it, or leaves the way on which it will be right again, corrects it.
//! So a loop needs one charge at its head and one for every arm that a round takes besides.
//!
//! What corrects: calls show the counter as it is and take it back ahead; an unconditional branch gives back
//! what it passes over; so does the taken way of a `br_if` that leaves a loop, which happens once. Any other `br_if`
//! and `br_table` would have to correct too often, so what they may pass over is charged where it is.
//!
//! Calls of functions that cost always the same and do not count themselves are paid for by their callers' blocks:
//! another call in such a block sees the counter ahead by those of them that come behind it.
//!
//! Charging early may make a program look exhausted; the exact build decides.
//!
//! Every round of a loop has to look at the counter. It does so at the loop's head, unless a call that every round
//! makes offers itself: there the host's demands on registers cost nothing more. A loop around another that
//! every round enters leaves looking to that one. What a branch may pass over is in no round for certain, wherever
//! the branch stands: a round may go back to the head from the arm of an `if`, or out of a loop inside.

use std::collections::BTreeSet;

use wasmparser::Operator;

use crate::blocks::Charge;
use crate::body::Op;
use crate::calls::Calls;

/// Charges that may be ahead at one place. More would make hostile nesting expensive to prepare.
const AHEAD_MAX: usize = 8;

/// What the fast build does.
#[derive(Debug)]
pub(crate) struct Folded {
    /// In order of their place.
    pub(crate) charges: Vec<Charge>,
    /// In order of their place.
    pub(crate) corrections: Vec<Correction>,
}

/// What an operator does with the counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Correction {
    /// Index of the operator.
    pub(crate) at: usize,
    /// At a branch, what it gives back when it is taken; at a call, by how much the counter is ahead.
    pub(crate) cu: i64,
    /// Whether a call looks at the counter for its loop.
    pub(crate) look: bool,
}

/// `charges` are the canonical ones, `heads` the operators that begin a loop which is branched back to, `leaves` those
/// that begin what stands for a call, with the callee's cost.
pub(crate) fn fold(
    ops: &[Op<'_>],
    charges: &[Charge],
    heads: &[usize],
    calls: &Calls<'_>,
    leaves: &[(usize, u32)],
) -> Folded {
    let mut folder = Folder {
        totals: charges.to_vec(),
        seen: Vec::new(),
        labels: vec![Vec::new()],
        frames: vec![Frame::default()],
        loops: Vec::new(),
        skipped: BTreeSet::new(),
        current: None,
        ahead: Vec::new(),
        unpaid: Vec::new(),
        calls,
    };
    folder.pay_for_leaves(ops, leaves);
    let mut next = 0;
    let mut heads = heads.iter().peekable();
    for (at, op) in ops.iter().enumerate() {
        if charges.get(next).is_some_and(|charge| charge.at == at) {
            folder.begin(next);
            next += 1;
        }
        let is_loop = heads.next_if_eq(&&at).is_some();
        folder.step(at, op, is_loop);
    }
    folder.finish()
}

/// Index of a charge.
type Index = usize;

/// Charges that may be ahead at a place, and what each had grown to there: what is folded into it later in
/// the function has not been executed at that place.
type Place = Vec<(Index, u32)>;

#[derive(Debug)]
struct Folder<'l> {
    /// The charges with what was folded into them; zero for those that were folded themselves.
    totals: Vec<Charge>,
    seen: Vec<Seen>,
    /// The places of all labels; the first is the function's end, where nothing is ahead.
    labels: Vec<Place>,
    /// Open blocks; the first is the function.
    frames: Vec<Frame>,
    /// Which of the frames are loops, ascending: hostile nesting is deep, and every call asks.
    loops: Vec<usize>,
    /// Which of the frames have a branch to their label that passes over what is left of them.
    skipped: BTreeSet<usize>,
    /// The charge that what comes next would be folded into.
    current: Option<Index>,
    /// Charges outside the open blocks that what follows the blocks may be folded into.
    ahead: Vec<Index>,
    /// For every operator, what its block has paid for calls behind it.
    unpaid: Vec<u32>,
    calls: &'l Calls<'l>,
}

/// A call, or a branch that corrects.
#[derive(Debug)]
struct Seen {
    at: usize,
    place: Place,
    /// Where a branch goes.
    label: Option<usize>,
    /// At a call, what its block has paid for later ones.
    unpaid: u32,
    look: bool,
}

#[derive(Debug, Default)]
struct Frame {
    /// What was current when the frame was opened, if it may be again behind it.
    outside: Option<Index>,
    /// Whether `outside` was put on [`Folder::ahead`].
    pushed: bool,
    /// How many frames outward a conditional branch inside passes over ends at most: this one's if not zero.
    passed: usize,
    /// Index of the label.
    label: usize,
    is_loop: bool,
    /// For a loop, the charge of its head.
    head: Option<Index>,
    /// For a loop, whether the loop around it begins with it, so that both have one head.
    shared: bool,
    /// For a loop, whether something in every round looks.
    looked: bool,
    /// For a loop, whether every round of the loop around it comes by what looks in it: its head, or what `looked` is
    /// about.
    certain: bool,
}

impl Folder<'_> {
    /// Adds every paid call to the block that it is in: the last one that begins at or before it.
    fn pay_for_leaves(&mut self, ops: &[Op<'_>], leaves: &[(usize, u32)]) {
        let mut leaves = leaves.iter().rev().peekable();
        self.unpaid = vec![0; ops.len()];
        let mut blocks = self.totals.iter_mut().rev().peekable();
        let mut behind = 0;
        for (at, op) in ops.iter().enumerate().rev() {
            self.unpaid[at] = behind;
            let leaf = leaves.next_if(|(begun, _)| *begun == at);
            behind +=
                leaf.map_or_else(|| self.calls.paid(&op.operator).unwrap_or(0), |leaf| leaf.1);
            if let Some(block) = blocks.next_if(|charge| charge.at == at) {
                block.cu += std::mem::take(&mut behind);
            }
        }
    }

    fn begin(&mut self, charge: Index) {
        match self.current {
            Some(earlier) => {
                self.totals[earlier].cu += self.totals[charge].cu;
                self.totals[charge].cu = 0;
            }
            None => {
                self.current = Some(charge);
                if self.totals[charge].loop_head
                    && let Some(innermost) = self.loop_before(self.frames.len())
                {
                    let around = self.loop_before(innermost);
                    let shared = around.is_some_and(|around| self.frames[around].head.is_none());
                    let frame = &mut self.frames[innermost];
                    (frame.head, frame.shared) = (Some(charge), shared);
                }
            }
        }
    }

    /// Whether every round of the loop at that frame comes by here, where charges would be folded into `here`, and the
    /// loop's head need look for no other loop.
    fn in_every_round(&self, of: usize, here: Option<Index>) -> bool {
        let frame = &self.frames[of];
        let at_head = frame.head.is_some() && frame.head == here && !frame.shared;
        at_head && !self.skips_from(of)
    }

    /// Whether a branch may pass over what is left of that frame or of one inside it.
    fn skips_from(&self, frame: usize) -> bool {
        self.skipped.last().is_some_and(|skipped| *skipped >= frame)
    }

    /// The innermost loop among the first so many frames.
    fn loop_before(&self, end: usize) -> Option<usize> {
        let loops = self.loops.partition_point(|frame| *frame < end);
        self.loops[..loops].last().copied()
    }

    /// Whether every round of the loop around the one at that frame, which enters it, also comes by here.
    fn still_certain(&self, inner: usize) -> bool {
        let around = self.loop_before(inner).unwrap_or(0);
        self.frames[inner].certain && !self.skips_from(around)
    }

    /// A loop has ended by which every round of the one around it comes.
    fn rely_on_inner(&mut self) {
        if let Some(around) = self.loop_before(self.frames.len()) {
            let certain = self.still_certain(around);
            let around = &mut self.frames[around];
            (around.looked, around.certain) = (true, certain);
        }
    }

    /// A call follows here: if every round of the innermost loop comes by, it looks for the loop.
    fn offer_call(&mut self) -> bool {
        let Some(innermost) = self.loop_before(self.frames.len()) else {
            return false;
        };
        if !self.in_every_round(innermost, self.current) {
            return false;
        }
        // The loop was entered in every round of the one around it; now nothing may lead there without the call.
        let certain = self.still_certain(innermost);
        let frame = &mut self.frames[innermost];
        if frame.looked {
            return false;
        }
        (frame.looked, frame.certain) = (true, certain);
        true
    }

    fn step(&mut self, at: usize, op: &Op<'_>, is_loop: bool) {
        match &op.operator {
            Operator::Loop { .. } if is_loop => {
                self.open(true);
                self.current = None;
            }
            Operator::Block { .. } | Operator::Loop { .. } => self.open(false),
            Operator::If { .. } => {
                self.open(false);
                self.current = None;
            }
            Operator::Else | Operator::Unreachable => self.current = None,
            Operator::End => self.close(),
            Operator::Br { relative_depth } => self.leave(at, *relative_depth as usize),
            Operator::Return => self.leave(at, self.frames.len() - 1),
            Operator::BrIf { relative_depth } => self.branch(at, op, *relative_depth as usize),
            Operator::BrTable { targets } => {
                // Validation has read the targets, so every one of them decodes.
                let depths = targets.targets().flatten().chain([targets.default()]);
                let mut farthest = 0;
                for depth in depths {
                    self.skip_to(depth as usize);
                    farthest = farthest.max(depth as usize);
                }
                self.pass_over(farthest);
            }
            call @ (Operator::Call { .. } | Operator::CallIndirect { .. })
                if self.calls.paid(call).is_none() =>
            {
                let look = self.offer_call();
                let place = self.place();
                self.seen.push(Seen {
                    at,
                    place,
                    label: None,
                    unpaid: self.unpaid[at],
                    look,
                });
            }
            _ => {}
        }
    }

    fn open(&mut self, is_loop: bool) {
        let outside = self.current.filter(|_| self.ahead.len() < AHEAD_MAX);
        let pushed = outside.is_some() && self.ahead.last() != outside.as_ref();
        if pushed {
            self.ahead.extend(outside);
        }
        let around = self.loop_before(self.frames.len());
        let certain = around.is_some_and(|around| self.in_every_round(around, outside));
        if is_loop {
            self.loops.push(self.frames.len());
        }
        self.frames.push(Frame {
            outside,
            pushed,
            label: self.labels.len(),
            is_loop,
            certain: is_loop && certain,
            ..Frame::default()
        });
        self.current = outside;
        // Branches to a loop go to its head: what is ahead there is what is ahead now.
        let place = match is_loop {
            true => self.place(),
            false => Vec::new(),
        };
        self.labels.push(place);
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        self.skipped.remove(&self.frames.len());
        if frame.pushed {
            self.ahead.pop();
        }
        self.current = frame.outside;
        if frame.is_loop {
            self.loops.pop();
            if frame.looked
                && let Some(head) = frame.head
            {
                self.totals[head].loop_head = false;
            }
            if frame.certain {
                self.rely_on_inner();
            }
        } else {
            self.labels[frame.label] = self.place();
        }
        if frame.passed > 0 {
            self.current = None;
            if let Some(parent) = self.frames.last_mut() {
                parent.passed = parent.passed.max(frame.passed - 1);
            }
        }
    }

    /// An unconditional branch: gives back what it passes over.
    fn leave(&mut self, at: usize, depth: usize) {
        self.skip_to(depth);
        self.see_branch(at, depth);
        self.current = None;
    }

    fn branch(&mut self, at: usize, op: &Op<'_>, depth: usize) {
        self.skip_to(depth);
        let innermost = self.loop_before(self.frames.len());
        let around = innermost.map(|frame| self.frames.len() - 1 - frame);
        // Only a branch without values has room for giving back.
        match around {
            Some(around) if depth > around && op.pops == 1 => self.see_branch(at, depth),
            _ => self.pass_over(depth),
        }
    }

    /// A branch to the label of that frame, from here.
    fn skip_to(&mut self, depth: usize) {
        self.skipped.insert(self.frames.len() - 1 - depth);
    }

    fn see_branch(&mut self, at: usize, depth: usize) {
        let target = self.frames.len() - 1 - depth;
        let label = self.frames[target].label;
        let place = self.place();
        self.seen.push(Seen {
            at,
            place,
            label: Some(label),
            unpaid: 0,
            look: false,
        });
    }

    /// A conditional branch without giving back: the ends of all blocks inside its target may be passed over.
    fn pass_over(&mut self, depth: usize) {
        self.current = None;
        if let Some(frame) = self.frames.last_mut() {
            frame.passed = frame.passed.max(depth);
        }
    }

    /// What may be ahead here.
    fn place(&self) -> Place {
        let here = self
            .current
            .filter(|current| self.ahead.last() != Some(current));
        let charges = self.ahead.iter().copied().chain(here);
        charges
            .map(|charge| (charge, self.totals[charge].cu))
            .collect()
    }

    fn finish(self) -> Folded {
        let ahead = |place: &Place| -> i64 {
            let parts = place
                .iter()
                .map(|(charge, executed)| i64::from(self.totals[*charge].cu - executed));
            parts.sum()
        };
        let corrections = self.seen.iter().map(|seen| {
            let target = seen.label.map_or(0, |label| ahead(&self.labels[label]));
            Correction {
                at: seen.at,
                cu: ahead(&seen.place) - target + i64::from(seen.unpaid),
                look: seen.look,
            }
        });
        let needed = |correction: &Correction| correction.cu != 0 || correction.look;
        Folded {
            corrections: corrections.filter(needed).collect(),
            charges: self
                .totals
                .iter()
                .copied()
                .filter(|charge| charge.cu > 0)
                .collect(),
        }
    }
}
