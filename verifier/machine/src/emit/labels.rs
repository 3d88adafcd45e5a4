//! Where the labels of the source are among those of a build, which has more of them.

/// Labels around a loop that refills outside itself: its exit, the outer loop, the place.
const AROUND: u32 = 3;

/// The open labels, from the function's own inwards.
#[derive(Debug)]
pub(crate) struct Labels {
    open: u32,
    frames: Vec<Frame>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Labels open outside this frame's own.
    label: u32,
    /// Whether it is a loop with a place right outside it for the refill of its head.
    refilled: bool,
}

impl Labels {
    /// `wrapped`: a block around the whole body stands for the function's own label.
    pub(super) fn new(wrapped: bool) -> Self {
        Self {
            open: 1 + u32::from(wrapped),
            frames: vec![Frame {
                label: u32::from(wrapped),
                refilled: false,
            }],
        }
    }

    pub(super) fn open(&mut self, refilled: bool) {
        self.open += u32::from(refilled) * AROUND;
        self.frames.push(Frame {
            label: self.open,
            refilled,
        });
        self.open += 1;
    }

    /// Closes the innermost frame; answers whether it is a loop that refills outside itself.
    pub(super) fn close(&mut self) -> bool {
        let refilled = self.frames.pop().is_some_and(|frame| frame.refilled);
        self.open -= 1 + u32::from(refilled) * AROUND;
        refilled
    }

    /// The source's label `depth`, as seen from here.
    pub(super) fn depth(&self, depth: u32) -> u32 {
        let frame = self.frames[self.frames.len() - 1 - depth as usize];
        self.open - 1 - frame.label
    }

    /// The label of the function itself.
    pub(super) fn outermost(&self) -> u32 {
        self.open - 1 - self.frames[0].label
    }

    /// The place outside the innermost loop that refills there.
    pub(super) fn refill_place(&self) -> u32 {
        let innermost = self.frames.iter().rev().find(|frame| frame.refilled);
        innermost.map_or(0, |frame| self.open - frame.label)
    }
}
