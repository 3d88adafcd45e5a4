//! A program as the step machine runs it: code, memories, globals and table as they are before the first step, and the
//! root that names them all (docs/step-machine.md section 8).

use std::collections::BTreeMap;

use gio_protocol::B256;
use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind};

use crate::error::{PrepareError, check_size};
use crate::features::refusal;
use crate::isa::{Instruction, Op};
use crate::limits::INSTRUCTIONS_MAX;
use crate::link::passive_places;
use crate::lower::{Lowered, Scope, Segment, constant};
use crate::source::{Profile, Source, index};
use crate::state::{ProgramHeader, VERSION};
use crate::trees::{self, depth_of, page_depth, slot_depth, with_slot};

const PAGE_BYTES: u64 = 1 << 16;

/// Bytes of memory that are kept together: few enough that a hundred thousand scattered segments do not take much.
const CHUNK_BYTES: u64 = 1 << CHUNK_LOG2;
const CHUNK_LOG2: u8 = 10;

/// Instructions of what calls the program's `_start`.
pub(crate) const ENTRY_INSTRUCTIONS: u64 = 4;

/// Where a function of a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What calls the program's `_start`.
    Entry,
    /// The function of the module as it was uploaded, by its number there.
    Guest(u32),
    /// The shim's function, by its number among its own.
    Shim(u32),
}

/// Where a function's instructions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionPlace {
    /// Its first instruction.
    pub pc: u32,
    /// Where it comes from.
    pub origin: Origin,
}

/// A program before its first step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(crate) header: ProgramHeader,
    pub(crate) code: Vec<Instruction>,
    pub(crate) globals: Vec<u64>,
    pub(crate) global_depth: u8,
    /// Type and pc of every element, as a slot.
    pub(crate) table: Vec<u64>,
    pub(crate) memories: [Image; 2],
    functions: Vec<FunctionPlace>,
    exports: BTreeMap<String, u32>,
}

impl Program {
    /// The preimage of the program root.
    #[must_use]
    pub fn header(&self) -> &ProgramHeader {
        &self.header
    }

    /// The program root.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.header.hash()
    }

    /// The instructions; `pc` counts them.
    #[must_use]
    pub fn code(&self) -> &[Instruction] {
        &self.code
    }

    /// Where an exported function begins. A linked command exports `_start` alone.
    #[must_use]
    pub fn export(&self, name: &str) -> Option<u32> {
        self.exports.get(name).copied()
    }

    /// The function that an instruction belongs to.
    #[must_use]
    pub fn function_at(&self, pc: u32) -> Option<FunctionPlace> {
        let behind = self.functions.partition_point(|place| place.pc <= pc);
        let within = (pc as usize) < self.code.len();
        self.functions[..behind].last().copied().filter(|_| within)
    }

    /// Places the lowered functions of a linked module; `guests` says what the first of them are.
    pub(crate) fn build(
        source: &Source<'_>,
        lowered: Vec<Lowered>,
        guests: &[Origin],
    ) -> Result<Self, PrepareError> {
        let placed = Placed::new(source, lowered, guests)?;
        let table = table(source, &placed)?;
        let memories = images(source)?;
        let (globals, global_depth) = globals(source)?;
        let pages = [0, 1].map(|memory| pages(source, memory));
        let code_depth = depth_of(placed.code.len().div_ceil(2) as u64).max(1);
        let table_depth = slot_depth(index(table.len()));
        let header = ProgramHeader {
            code_root: sparse_root(code_leaves(&placed.code), 0, code_depth),
            memory_roots: [0, 1].map(|at| memories[at].root(page_depth(pages[at]))),
            globals_root: sparse_root(slot_leaves(&globals), 0, global_depth),
            table_root: sparse_root(slot_leaves(&table), 0, table_depth),
            version: VERSION,
            entry_pc: 0,
            pages,
            table_size: index(table.len()),
            code_depth,
            table_depth,
        };
        let exported = source.exported.iter();
        let exports = exported.map(|(name, function)| (name.clone(), placed.pc(*function)));
        Ok(Self {
            header,
            exports: exports.collect(),
            code: placed.code,
            globals,
            global_depth,
            table,
            memories,
            functions: placed.functions,
        })
    }
}

/// What lowering has to know of a linked module; nothing for another.
pub(crate) fn scope(source: &Source<'_>) -> Result<Option<Scope>, PrepareError> {
    if source.profile == Profile::Command {
        return Ok(None);
    }
    let (places, _) = passive_places(source)?;
    let mut next = source.globals;
    let mut segments = Vec::with_capacity(places.len());
    let passive = index(places.iter().flatten().count());
    for place in places {
        // Active segments share one global: they are dropped before the first step.
        let global = if place.is_some() {
            next
        } else {
            source.globals + passive
        };
        next += u32::from(place.is_some());
        segments.push(Segment {
            base: place.unwrap_or(0),
            global,
        });
    }
    let results = source.types.iter().map(|ty| index(ty.results().len()));
    Ok(Some(Scope {
        results: results.collect(),
        imported: source.imported.clone(),
        type_numbers: source.reachable().by_type,
        segments,
        global_depth: slot_depth(source.globals + passive + 1),
        pages_max: source.pages_max.first().copied().flatten(),
    }))
}

/// The functions one behind the other, behind the entry.
struct Placed {
    code: Vec<Instruction>,
    functions: Vec<FunctionPlace>,
    /// Where the functions that the module defines begin.
    pcs: Vec<u32>,
    imports: u32,
}

impl Placed {
    fn new(
        source: &Source<'_>,
        lowered: Vec<Lowered>,
        guests: &[Origin],
    ) -> Result<Self, PrepareError> {
        let entry = source.command.unwrap_or(0);
        let mut code = vec![
            Instruction::new(Op::Charge).imm(crate::ENTRY_CU),
            Instruction::new(Op::Call).b(entry),
            Instruction::new(Op::Const),
            Instruction::new(Op::Exit),
        ];
        debug_assert_eq!(code.len() as u64, ENTRY_INSTRUCTIONS);
        let mut calls = vec![1];
        let mut functions = vec![FunctionPlace {
            pc: 0,
            origin: Origin::Entry,
        }];
        let mut pcs = Vec::with_capacity(lowered.len());
        for (nth, function) in lowered.into_iter().enumerate() {
            let begin = index(code.len());
            check_size(
                "instructions of the program",
                (code.len() + function.code.len()) as u64,
                INSTRUCTIONS_MAX,
            )?;
            let own = || Origin::Shim(index(nth - guests.len()));
            functions.push(FunctionPlace {
                pc: begin,
                origin: guests.get(nth).copied().unwrap_or_else(own),
            });
            pcs.push(begin);
            code.extend(function.code);
            for jump in function.jumps {
                code[(begin + jump) as usize].b += begin;
            }
            calls.extend(function.calls.iter().map(|call| begin + call));
        }
        let mut placed = Self {
            code,
            functions,
            pcs,
            imports: index(source.imported.len()),
        };
        for call in calls {
            let function = placed.code[call as usize].b;
            placed.code[call as usize].b = placed.pc(function);
        }
        Ok(placed)
    }

    fn pc(&self, function: u32) -> u32 {
        self.pcs[(function - self.imports) as usize]
    }
}

fn pages(source: &Source<'_>, memory: usize) -> u32 {
    let pages = source.pages.get(memory).copied().unwrap_or(0);
    u32::try_from(pages).expect("validated to be at most 2^16")
}

fn evaluate(expression: &ConstExpr<'_>) -> Result<u64, PrepareError> {
    let mut reader = expression.get_operators_reader();
    let operator = reader.read().map_err(|error| refusal(&error, None))?;
    // Without imported globals and extended expressions, every expression is one constant.
    Ok(constant(&operator).unwrap_or(0))
}

/// That all segments fit into what they are written to, and the globals into their tree: what can be said of a module
/// before its functions are looked at.
pub(crate) fn check_segments(source: &Source<'_>) -> Result<(), PrepareError> {
    let mut passive = 0;
    if let Some(reader) = &source.sections.data {
        for (nth, data) in (0..).zip(reader.clone()) {
            let data = data.map_err(|error| refusal(&error, None))?;
            match data.kind {
                DataKind::Passive => passive += 1,
                DataKind::Active {
                    memory_index,
                    offset_expr,
                } => {
                    let at = evaluate(&offset_expr)?;
                    check_data(source, nth, memory_index as usize, at, data.data)?;
                }
            }
        }
    }
    if let Some(reader) = &source.sections.elements {
        let size = table_size(source)?;
        for (nth, element) in (0..).zip(reader.clone()) {
            let element = element.map_err(|error| refusal(&error, None))?;
            if let (ElementKind::Active { offset_expr, .. }, ElementItems::Functions(functions)) =
                (element.kind, element.items)
            {
                check_elements(nth, evaluate(&offset_expr)?, functions.count(), size)?;
            }
        }
    }
    // Behind them is one more, which active segments share.
    check_globals(slot_depth(source.globals.saturating_add(passive + 1)))
}

fn check_globals(depth: u8) -> Result<(), PrepareError> {
    check_size(
        "depth of the globals",
        depth,
        u64::from(trees::SLOT_DEPTH_MAX),
    )
}

fn globals(source: &Source<'_>) -> Result<(Vec<u64>, u8), PrepareError> {
    let mut slots = Vec::new();
    if let Some(reader) = &source.sections.globals {
        for global in reader.clone() {
            let global = global.map_err(|error| refusal(&error, None))?;
            slots.push(evaluate(&global.init_expr)?);
        }
    }
    if let Some(reader) = &source.sections.data {
        for data in reader.clone() {
            let data = data.map_err(|error| refusal(&error, None))?;
            if matches!(data.kind, DataKind::Passive) {
                slots.push(data.data.len() as u64);
            }
        }
    }
    slots.push(0);
    let depth = slot_depth(index(slots.len()));
    check_globals(depth)?;
    Ok((slots, depth))
}

fn table_size(source: &Source<'_>) -> Result<u64, PrepareError> {
    let mut size = 0;
    if let Some(reader) = &source.sections.tables {
        for table in reader.clone() {
            size = table.map_err(|error| refusal(&error, None))?.ty.initial;
        }
    }
    Ok(size)
}

fn check_elements(nth: u32, at: u64, count: u32, size: u64) -> Result<(), PrepareError> {
    if at + u64::from(count) > size {
        return Err(PrepareError::Segment {
            what: "element segment",
            index: nth,
        });
    }
    Ok(())
}

fn check_data(
    source: &Source<'_>,
    nth: u32,
    memory: usize,
    at: u64,
    bytes: &[u8],
) -> Result<(), PrepareError> {
    if at + bytes.len() as u64 > u64::from(pages(source, memory)) * PAGE_BYTES {
        return Err(PrepareError::Segment {
            what: "data segment",
            index: nth,
        });
    }
    Ok(())
}

fn table(source: &Source<'_>, placed: &Placed) -> Result<Vec<u64>, PrepareError> {
    let size = table_size(source)?;
    // `take` has refused tables that are larger.
    let mut elements = vec![0; usize::try_from(size).unwrap_or(0)];
    let numbers = source.reachable().by_type;
    let Some(reader) = &source.sections.elements else {
        return Ok(elements);
    };
    for (nth, element) in (0..).zip(reader.clone()) {
        let element = element.map_err(|error| refusal(&error, None))?;
        let (ElementKind::Active { offset_expr, .. }, ElementItems::Functions(functions)) =
            (element.kind, element.items)
        else {
            continue;
        };
        let at = evaluate(&offset_expr)?;
        check_elements(nth, at, functions.count(), size)?;
        let places = elements.iter_mut().skip(usize::try_from(at).unwrap_or(0));
        for (place, function) in places.zip(functions) {
            let function = function.map_err(|error| refusal(&error, None))?;
            let ty = source.functions[function as usize];
            let number = index(numbers[&ty] + 1);
            *place = u64::from(number) << 32 | u64::from(placed.pc(function));
        }
    }
    Ok(elements)
}

/// A memory before the first step: what is not zero in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    chunks: BTreeMap<u64, Vec<u8>>,
}

impl Image {
    fn write(&mut self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let begin = at % CHUNK_BYTES;
            let room = usize::try_from(CHUNK_BYTES - begin).unwrap_or(0);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let new = || vec![0; 1 << CHUNK_LOG2];
            let chunk = self.chunks.entry(at / CHUNK_BYTES).or_insert_with(new);
            let begin = usize::try_from(begin).unwrap_or(0);
            chunk[begin..begin + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            bytes = later;
        }
    }

    /// The bytes that are not zero, by address.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let chunks = self.chunks.iter();
        chunks.map(|(at, bytes)| (at * CHUNK_BYTES, bytes.as_slice()))
    }

    fn root(&self, depth: u8) -> B256 {
        const LEVELS: u8 = CHUNK_LOG2 - 5;
        let nodes = self.chunks.iter().map(|(at, bytes)| {
            let words = bytes.chunks_exact(32).map(B256::from_slice);
            (*at, sparse_root((0..).zip(words).collect(), 0, LEVELS))
        });
        sparse_root(nodes.collect(), LEVELS, depth)
    }
}

fn images(source: &Source<'_>) -> Result<[Image; 2], PrepareError> {
    let mut images = [Image::default(), Image::default()];
    let Some(reader) = &source.sections.data else {
        return Ok(images);
    };
    let (places, _) = passive_places(source)?;
    for ((nth, data), place) in (0..).zip(reader.clone()).zip(places) {
        let data = data.map_err(|error| refusal(&error, None))?;
        let (memory, at) = match data.kind {
            DataKind::Passive => (1, u64::from(place.unwrap_or(0))),
            DataKind::Active {
                memory_index,
                offset_expr,
            } => (memory_index as usize, evaluate(&offset_expr)?),
        };
        check_data(source, nth, memory, at, data.data)?;
        images[memory].write(at, data.data);
    }
    Ok(images)
}

/// The leaves of the code tree.
pub(crate) fn code_leaves(code: &[Instruction]) -> Vec<(u64, B256)> {
    let leaves = code.chunks(2).map(|pair| {
        let mut leaf = B256::ZERO;
        for (half, instruction) in leaf.chunks_exact_mut(16).zip(pair) {
            half.copy_from_slice(&instruction.encode());
        }
        leaf
    });
    (0..).zip(leaves).collect()
}

/// The leaves of a tree of slots.
pub(crate) fn slot_leaves(slots: &[u64]) -> Vec<(u64, B256)> {
    let leaves = slots.chunks(4).map(|slots| {
        let numbered = (0..).zip(slots);
        numbered.fold(B256::ZERO, |leaf, (at, slot)| with_slot(leaf, at, *slot))
    });
    (0..).zip(leaves).collect()
}

/// The root at level `to` over nodes of level `from`, in order of their places; all others are empty.
pub(crate) fn sparse_root(mut nodes: Vec<(u64, B256)>, from: u8, to: u8) -> B256 {
    let zeros = trees::zeros();
    for level in from..to {
        let empty = zeros[usize::from(level)];
        let mut parents: Vec<(u64, B256)> = Vec::with_capacity(nodes.len() / 2 + 1);
        let mut at = 0;
        while let Some((place, node)) = nodes.get(at).copied() {
            at += 1;
            let parent = if place % 2 == 1 {
                trees::parent(empty, node)
            } else {
                let next = nodes.get(at).filter(|(next, _)| *next == place + 1);
                at += usize::from(next.is_some());
                trees::parent(node, next.map_or(empty, |(_, node)| *node))
            };
            parents.push((place / 2, parent));
        }
        nodes = parents;
    }
    let top = nodes.first().map(|(_, node)| *node);
    top.unwrap_or(zeros[usize::from(to)])
}
