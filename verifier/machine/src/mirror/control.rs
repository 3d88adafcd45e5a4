//! Stack, control, metering, floats, locals, globals and calls.

use gio_protocol::{B256, U256};

use super::{End, Fault, ProofInvalid, Step, U32, alu, leaves, low};
use crate::float;
use crate::limits::STACK_SLOTS_MAX;
use crate::state::{Rest, empty_root};
use crate::trees::{SLOT_DEPTH_MAX, push_frame};

const GROW_CU_PER_PAGE: u64 = 1024;
const PAGES_MAX: u64 = 65_536;

impl Step<'_> {
    pub(super) fn stack(&mut self) -> End {
        let op = self.op;
        if (0x45..0xc5).contains(&op) {
            let (result, trap) = alu::run(op, self.x, self.y);
            self.result = result;
            return if trap { End::Trap } else { End::Next };
        }
        match op {
            0x41 => self.result = self.imm,
            0xe5.. => return self.charge(),
            0xe0.. => return self.jump(),
            0x1b => self.result = if self.z & U32 != 0 { self.x } else { self.y },
            0x1c => self.result = self.y,
            0x3f => self.result = self.pages(self.a),
            0 => return End::Trap,
            _ => {}
        }
        End::Next
    }

    fn jump(&mut self) -> End {
        let x = self.x & U32;
        if self.op == 0xe3 {
            self.pc += x.min(self.b);
            return if self.pc > U32 { End::Trap } else { End::Next };
        }
        if self.op == 0xe0 || (self.op == 0xe1) == (x != 0) {
            self.pc = self.b;
        }
        End::Next
    }

    fn charge(&mut self) -> End {
        let mut n = self.x & U32;
        if self.op == 0xe5 {
            n = self.imm;
        } else if self.op == 0xe6 {
            n = (n + 7) >> 3;
        } else {
            n = GROW_CU_PER_PAGE * n.min(PAGES_MAX);
        }
        self.result = self.x;
        let cu = u128::from(self.header.cu) + u128::from(n);
        match u64::try_from(cu) {
            Ok(cu) if cu <= self.header.cu_limit => self.header.cu = cu,
            _ => return End::Exhausted,
        }
        End::Next
    }

    pub(super) fn float(&mut self) -> End {
        let (result, trap) = float::compute(self.op, self.x, self.y)
            .expect("the shapes name only operations of the float unit");
        self.result = result;
        if trap { End::Trap } else { End::Next }
    }

    pub(super) fn local(&mut self) -> Result<End, ProofInvalid> {
        if !self.slot_fits() {
            return Ok(End::Trap);
        }
        self.header.locals_root = self.slot(self.header.locals_root, Fault::Locals)?;
        Ok(End::Next)
    }

    pub(super) fn global(&mut self) -> Result<End, ProofInvalid> {
        if !self.slot_fits() {
            return Ok(End::Trap);
        }
        let mut rest = self.rest()?;
        rest.globals_root = self.slot(rest.globals_root, Fault::Globals)?;
        self.header.rest_hash = rest.hash();
        Ok(End::Next)
    }

    fn slot_fits(&self) -> bool {
        self.a <= u64::from(SLOT_DEPTH_MAX) && self.b >> 2 >> self.a == 0
    }

    /// Reads or writes slot `b` of a tree of depth `a`; answers the root it has then.
    fn slot(&mut self, expected: B256, fault: Fault) -> Result<B256, ProofInvalid> {
        let leaf = self.word(self.cursor);
        let (index, depth) = (U256::from(self.b >> 2), self.depth());
        if self.op == 0x20 || self.op == 0x23 {
            self.result = leaves::slot(leaf, self.b);
            self.open_leaf(expected, index, depth, fault)?;
            return Ok(expected);
        }
        self.result = self.x;
        let written = leaves::with_slot(leaf, self.b, self.x);
        self.write_leaf(expected, (index, depth), written, fault)
    }

    /// Field `a` as a depth, once it is known to be at most [`SLOT_DEPTH_MAX`].
    fn depth(&self) -> u8 {
        u8::try_from(self.a).expect("compared with the greatest depth before")
    }

    pub(super) fn enter(&mut self) -> Result<End, ProofInvalid> {
        let mut rest = self.rest()?;
        let slots = u64::from(rest.slots) + self.b;
        if self.a > u64::from(SLOT_DEPTH_MAX) || slots > u64::from(STACK_SLOTS_MAX) {
            return Ok(End::Trap);
        }
        rest.slots = low(slots);
        self.header.locals_root = empty_root(self.depth());
        self.header.rest_hash = rest.hash();
        Ok(End::Next)
    }

    pub(super) fn call(&mut self) -> Result<End, ProofInvalid> {
        let mut rest = self.rest()?;
        if rest.call_depth == u32::MAX {
            return Ok(End::Trap);
        }
        self.push_frame(&mut rest, self.b);
        Ok(End::Next)
    }

    pub(super) fn call_indirect(&mut self) -> Result<End, ProofInvalid> {
        let mut rest = self.rest()?;
        let index = self.x & U32;
        if rest.call_depth == u32::MAX || index >= u64::from(rest.table_size) {
            return Ok(End::Trap);
        }
        let leaf = self.open_leaf(
            rest.table_root,
            U256::from(index >> 2),
            rest.table_depth,
            Fault::Table,
        )?;
        let element = leaves::slot(leaf, index);
        if element >> 32 != self.b || self.b == 0 {
            return Ok(End::Trap);
        }
        self.push_frame(&mut rest, element & U32);
        Ok(End::Next)
    }

    fn push_frame(&mut self, rest: &mut Rest, target: u64) {
        let (locals_root, return_pc) = (self.header.locals_root, low(self.pc));
        rest.frames_hash = push_frame(rest.frames_hash, locals_root, return_pc, rest.slots);
        rest.call_depth += 1;
        self.header.rest_hash = rest.hash();
        self.pc = target;
    }

    pub(super) fn return_(&mut self) -> Result<End, ProofInvalid> {
        let mut rest = self.rest()?;
        if rest.call_depth == 0 {
            return Ok(End::Trap);
        }
        let (below, locals_root, place) = self.frame();
        if push_frame(below, locals_root, low(place >> 32), low(place)) != rest.frames_hash {
            return Err(ProofInvalid(Fault::Frame));
        }
        rest.frames_hash = below;
        rest.call_depth -= 1;
        rest.slots = low(place);
        self.header.rest_hash = rest.hash();
        self.header.locals_root = locals_root;
        self.pc = place >> 32;
        Ok(End::Next)
    }
}
