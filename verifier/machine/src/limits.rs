//! How large a program may be. A module beyond a limit is refused at once, before anything is compiled.

/// Sizes that bound the work of preparing, compiling and instantiating a module.
///
/// The defaults fit what compilers make of the largest interpreters in use (a whole `CPython` is 18 MiB) and
/// keep the time a hostile module can cost a machine to seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrepareLimits {
    /// Bytes of the module.
    pub module_bytes_max: u64,
    /// Functions the module defines.
    pub functions_max: u64,
    /// Bytes of one function body: compilers need more than linear time in it.
    pub function_bytes_max: u64,
    /// Parameters and locals of one function.
    pub locals_max: u64,
    /// Nested blocks in one function.
    pub nesting_max: u64,
    /// Targets of all `br_table`s of one function together.
    pub branch_targets_max: u64,
    /// Loops of one function; compilers need time quadratic in them.
    pub loops_max: u64,
    /// Operators of one function that branch or are branched to, and those whose charge by size becomes a branch; the
    /// same holds for them, on a smaller scale.
    pub branches_max: u64,
    /// What functions cost a compiler beside their bytes, summed over all of them: of each, the squares of its branches,
    /// of its loops, and of what both come to with its locals (see [`LOOP_COMPLEXITY`] and what follows it).
    pub complexity_max: u64,
    /// Elements of the table.
    pub table_elements_max: u64,
    /// Globals.
    pub globals_max: u64,
    /// Types, imports, exports, element segments and data segments, each.
    pub entries_max: u64,
    /// Bytes of the type section: what a validator does with types takes longer than with anything else of their size,
    /// and compilers make a hundredth of this.
    pub type_bytes_max: u64,
}

impl Default for PrepareLimits {
    fn default() -> Self {
        Self {
            module_bytes_max: 32 << 20,
            functions_max: 100_000,
            function_bytes_max: 512 << 10,
            locals_max: 10_000,
            nesting_max: 10_000,
            branch_targets_max: 100_000,
            loops_max: 2_000,
            branches_max: 30_000,
            complexity_max: 4_000_000_000,
            table_elements_max: 100_000,
            globals_max: 10_000,
            entries_max: 100_000,
            type_bytes_max: 2 << 20,
        }
    }
}

/// How much more a loop costs a compiler than another branch: measured at 50 to 80 times in functions of nothing else.
pub const LOOP_COMPLEXITY: u64 = 64;

/// So many pairs of a loop and a local count as one branch. A compiler may keep every local apart at every loop's head:
/// 200 loops of 5,000 locals took it most of a minute.
pub const LOOP_LOCALS_PER_BRANCH: u64 = 8;

/// So many pairs of a branch and a local count as one branch: the same holds for every place where ways meet, but large
/// interpreters have functions of thousands of branches with hundreds of locals, which are seldom alive at the same place.
pub const LOCALS_PER_BRANCH: u64 = 256;

/// What is counted of a function that makes it hard to compile.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) loops: u32,
    pub(crate) branches: u32,
    /// Operators that read or write a local.
    pub(crate) mentions: u32,
}

impl Counts {
    /// What the function counts for in [`PrepareLimits::complexity_max`].
    pub(crate) fn complexity(self, locals: u32) -> u64 {
        let [loops, branches] = [self.loops, self.branches].map(u64::from);
        let used = u64::from(locals.min(self.mentions));
        let square = |count: u64| count.saturating_mul(count);
        square(branches)
            .saturating_add(LOOP_COMPLEXITY.saturating_mul(square(loops)))
            .saturating_add(square(loops * used / LOOP_LOCALS_PER_BRANCH))
            .saturating_add(square(branches * used / LOCALS_PER_BRANCH))
    }
}

/// Bytes of one function of a build: what the sandbox's compiler takes. It is fixed for all versions of it, because
/// it says which programs exist.
pub(crate) const WRITTEN_BYTES_MAX: u64 = 7_654_321;

/// Instructions of a program: what the deepest code tree holds.
pub const INSTRUCTIONS_MAX: u64 = 1 << (crate::state::CODE_DEPTH_MAX + 1);

/// What all frames on the call stack may cost together, in slots (see [`crate::frame_slots`]).
///
/// A small function costs about a dozen slots, so recursion of more than 150,000 frames fits; wasmtime's own
/// limit would stop near 10,000. The sandbox gives the native stack [`NATIVE_STACK_BYTES`], eight bytes of
/// headroom for every byte this counts, so that the native stack is never the one that overflows.
pub const STACK_SLOTS_MAX: u32 = 2 << 20;

/// Native stack that a program within [`STACK_SLOTS_MAX`] cannot overflow.
pub const NATIVE_STACK_BYTES: usize = STACK_SLOTS_MAX as usize * 64;

/// Slots any frame costs: return address, frame pointer, saved registers.
const FRAME_SLOTS: u32 = 8;

/// Operators that cost a frame one more slot: a compiler may keep values that it computed once
/// alive across a call although the program has no local for them.
const OPERATORS_PER_SLOT: u32 = 16;

/// What one frame of a function costs: `8 + locals + highest operand stack + operators / 16`.
/// `locals` includes the parameters.
#[must_use]
pub fn frame_slots(locals: u32, operands_max: u32, operators: u32) -> u32 {
    FRAME_SLOTS
        .saturating_add(locals)
        .saturating_add(operands_max)
        .saturating_add(operators / OPERATORS_PER_SLOT)
}
