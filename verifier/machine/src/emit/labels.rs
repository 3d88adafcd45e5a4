//! Where the labels of the source are among those of a build, which has more of them.

/// What instrumentation puts around a block of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    Nothing,
    /// Around a loop that refills outside itself: its exit, the outer loop, the place.
    Refill,
    /// Around a loop that counts its rounds beforehand: a loop over its stretches.
    Stretches,
}

impl Around {
    fn labels(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Refill => 3,
            Self::Stretches => 1,
        }
    }
}

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
    around: Around,
}

impl Labels {
    /// `wrapped`: a block around the whole body stands for the function's own label.
    pub(super) fn new(wrapped: bool) -> Self {
        Self {
            open: 1 + u32::from(wrapped),
            frames: vec![Frame {
                label: u32::from(wrapped),
                around: Around::Nothing,
            }],
        }
    }

    pub(super) fn open(&mut self, around: Around) {
        self.open += around.labels();
        self.frames.push(Frame {
            label: self.open,
            around,
        });
        self.open += 1;
    }

    /// Closes the innermost frame; answers what is around it.
    pub(super) fn close(&mut self) -> Around {
        let frame = self.frames.pop();
        let around = frame.map_or(Around::Nothing, |frame| frame.around);
        self.open -= 1 + around.labels();
        around
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
        let mut inwards = self.frames.iter().rev();
        let innermost = inwards.find(|frame| frame.around == Around::Refill);
        innermost.map_or(0, |frame| self.open - frame.label)
    }
}
