//! Blocks, branches and the clean-up of operands that a branch leaves behind.

use wasmparser::{BlockType, BrTable, Operator};

use super::Lowerer;
use crate::body::Op as Decoded;
use crate::error::PrepareError;
use crate::isa::{Instruction, Op};
use crate::source::index;

/// A place that is jumped to, known when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(pub(super) u32);

/// An open block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Operands below it, its parameters not counted.
    height: u32,
    params: u32,
    /// Operands that a branch to it keeps.
    keeps: u32,
    /// Where a branch to it goes; none for the function, whose label is a `return`.
    label: Option<Label>,
    is_loop: bool,
    /// Where an `if` goes on whose condition fails, until its `else`.
    otherwise: Option<Label>,
}

impl Frame {
    pub(super) fn function(results: u32) -> Self {
        Self {
            height: 0,
            params: 0,
            keeps: results,
            label: None,
            is_loop: false,
            otherwise: None,
        }
    }
}

/// Code behind the function that cleans up for an entry of a `br_table`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stub {
    label: Label,
    target: Frame,
    height: u32,
}

impl Lowerer<'_, '_> {
    fn new_label(&mut self) -> Label {
        self.labels.push(None);
        Label(index(self.labels.len() - 1))
    }

    fn bind(&mut self, label: Label) {
        self.labels[label.0 as usize] = Some(index(self.code.len()));
    }

    pub(super) fn jump(&mut self, op: Op, label: Label) -> Result<(), PrepareError> {
        self.jumps.push((index(self.code.len()), label));
        self.plain(op)
    }

    /// A label right behind what is emitted until [`Lowerer::bind_here`].
    pub(super) fn label_ahead(&mut self) -> Label {
        self.new_label()
    }

    pub(super) fn bind_here(&mut self, label: Label) {
        self.bind(label);
    }

    pub(super) fn open(&mut self, op: &Decoded<'_>) -> Result<(), PrepareError> {
        let (ty, is_loop, is_if) = match &op.operator {
            Operator::Loop { blockty } => (*blockty, true, false),
            Operator::If { blockty } => (*blockty, false, true),
            Operator::Block { blockty } => (*blockty, false, false),
            _ => return Ok(()),
        };
        let params = op.pops - u32::from(is_if);
        let results = match ty {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(ty) => self.scope.results[ty as usize],
        };
        let label = self.new_label();
        let mut otherwise = None;
        if is_if {
            let arm = self.new_label();
            self.jump(Op::JumpUnless, arm)?;
            self.height = self.height.saturating_sub(1);
            otherwise = Some(arm);
        }
        if is_loop {
            self.bind(label);
        }
        self.frames.push(Frame {
            height: self.height.saturating_sub(params),
            params,
            keeps: if is_loop { params } else { results },
            label: Some(label),
            is_loop,
            otherwise,
        });
        Ok(())
    }

    pub(super) fn other_arm(&mut self) -> Result<(), PrepareError> {
        let Some(frame) = self.frames.last().copied() else {
            return Ok(());
        };
        if let (false, Some(label)) = (self.dead, frame.label) {
            self.jump(Op::Jump, label)?;
        }
        if let Some(otherwise) = frame.otherwise {
            self.bind(otherwise);
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.otherwise = None;
        }
        self.height = frame.height + frame.params;
        self.dead = false;
        Ok(())
    }

    pub(super) fn close(&mut self, op: &Decoded<'_>) -> Result<(), PrepareError> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let Some(label) = frame.label else {
            return if self.dead {
                Ok(())
            } else {
                self.plain(Op::Return)
            };
        };
        if let Some(otherwise) = frame.otherwise {
            self.bind(otherwise);
        }
        if !frame.is_loop {
            self.bind(label);
        }
        self.height = frame.height + op.pushes;
        self.dead = false;
        Ok(())
    }

    fn target(&self, depth: u32) -> Frame {
        self.frames[self.frames.len() - 1 - depth as usize]
    }

    pub(super) fn branch(&mut self, depth: u32) -> Result<(), PrepareError> {
        let target = self.target(depth);
        self.dead = true;
        self.go(target, self.height)
    }

    pub(super) fn leave(&mut self) -> Result<(), PrepareError> {
        let target = self.frames[0];
        self.dead = true;
        self.go(target, self.height)
    }

    /// Cleans up and goes there.
    fn go(&mut self, target: Frame, height: u32) -> Result<(), PrepareError> {
        self.clean_up(target, height)?;
        match target.label {
            Some(label) => self.jump(Op::Jump, label),
            None => self.plain(Op::Return),
        }
    }

    fn surplus(target: Frame, height: u32) -> u32 {
        height.saturating_sub(target.height + target.keeps)
    }

    fn clean_up(&mut self, target: Frame, height: u32) -> Result<(), PrepareError> {
        let surplus = Self::surplus(target, height);
        if surplus == 0 {
            return Ok(());
        }
        if target.keeps == 1 {
            return (0..surplus).try_for_each(|_| self.plain(Op::DropUnder));
        }
        for kept in 0..target.keeps {
            let local = self.scratch(kept);
            self.local(Op::LocalSet, local)?;
        }
        (0..surplus).try_for_each(|_| self.plain(Op::Drop))?;
        for kept in (0..target.keeps).rev() {
            let local = self.scratch(kept);
            self.local(Op::LocalGet, local)?;
        }
        Ok(())
    }

    pub(super) fn branch_if(&mut self, depth: u32) -> Result<(), PrepareError> {
        let target = self.target(depth);
        self.height = self.height.saturating_sub(1);
        match target.label {
            Some(label) if Self::surplus(target, self.height) == 0 => self.jump(Op::JumpIf, label),
            _ => {
                let next = self.new_label();
                self.jump(Op::JumpUnless, next)?;
                self.go(target, self.height)?;
                self.bind(next);
                Ok(())
            }
        }
    }

    pub(super) fn branch_table(&mut self, targets: &BrTable<'_>) -> Result<(), PrepareError> {
        self.height = self.height.saturating_sub(1);
        self.dead = true;
        self.emit(Instruction::new(Op::JumpTable).b(targets.len()))?;
        // One stub serves every entry with the same target.
        let mut stubs = std::collections::BTreeMap::new();
        let mut longest = 0;
        let begun = self.code.len();
        // Validation has read the targets, so every one of them decodes.
        let depths = targets.targets().flatten().chain([targets.default()]);
        for depth in depths {
            let target = self.target(depth);
            let surplus = Self::surplus(target, self.height);
            let label = match (target.label, surplus) {
                (None, 0) => {
                    self.plain(Op::Return)?;
                    continue;
                }
                (Some(label), 0) => label,
                _ => {
                    let spilled = if target.keeps > 1 {
                        2 * target.keeps
                    } else {
                        0
                    };
                    longest = longest.max(1 + surplus.saturating_add(spilled));
                    *stubs.entry(depth).or_insert_with(|| self.new_label())
                }
            };
            self.jump(Op::Jump, label)?;
        }
        for (depth, label) in stubs {
            self.stubs.push(Stub {
                label,
                target: self.target(depth),
                height: self.height,
            });
        }
        // Of the entries one is executed, and at most one stub.
        let entries = index(self.code.len() - begun);
        self.alternatives = entries - 1;
        self.besides = longest;
        Ok(())
    }

    pub(super) fn write_stubs(&mut self) -> Result<(), PrepareError> {
        for stub in std::mem::take(&mut self.stubs) {
            self.bind(stub.label);
            self.go(stub.target, stub.height)?;
        }
        Ok(())
    }
}
