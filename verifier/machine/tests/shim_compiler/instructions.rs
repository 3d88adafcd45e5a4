//! What the language's signs and built-in names become.

use wasm_encoder::{Instruction as I, MemArg};

use super::Ty;

const GUEST: u32 = 0;
const OWN: u32 = 1;

/// A name that stands for memory: which one, how wide, and what is read.
pub(crate) struct Access {
    memory: u32,
    bytes: u32,
    pub(crate) ty: Ty,
}

pub(crate) fn access(name: &str) -> Option<Access> {
    let memory = match name.as_bytes()[0] {
        b'm' => OWN,
        b'g' => GUEST,
        _ => return None,
    };
    let (bytes, ty) = match &name[1..] {
        "8" => (1, Ty::Int),
        "16" => (2, Ty::Int),
        "32" => (4, Ty::Int),
        "64" => (8, Ty::Long),
        _ => return None,
    };
    Some(Access { memory, bytes, ty })
}

impl Access {
    fn arg(&self, offset: u64) -> MemArg {
        MemArg {
            offset,
            align: 0,
            memory_index: self.memory,
        }
    }

    pub(crate) fn load(&self, offset: u64) -> I<'static> {
        let arg = self.arg(offset);
        match self.bytes {
            1 => I::I32Load8U(arg),
            2 => I::I32Load16U(arg),
            4 => I::I32Load(arg),
            _ => I::I64Load(arg),
        }
    }

    pub(crate) fn store(&self, offset: u64) -> I<'static> {
        let arg = self.arg(offset);
        match self.bytes {
            1 => I::I32Store8(arg),
            2 => I::I32Store16(arg),
            4 => I::I32Store(arg),
            _ => I::I64Store(arg),
        }
    }
}

pub(crate) fn operator(sign: &str, ty: Ty) -> I<'static> {
    match (sign, ty) {
        ("+", Ty::Int) => I::I32Add,
        ("-", Ty::Int) => I::I32Sub,
        ("*", Ty::Int) => I::I32Mul,
        ("/", Ty::Int) => I::I32DivU,
        ("%", Ty::Int) => I::I32RemU,
        ("&", Ty::Int) => I::I32And,
        ("|", Ty::Int) => I::I32Or,
        ("^", Ty::Int) => I::I32Xor,
        ("<<", Ty::Int) => I::I32Shl,
        (">>", Ty::Int) => I::I32ShrU,
        ("==", Ty::Int) => I::I32Eq,
        ("!=", Ty::Int) => I::I32Ne,
        ("<", Ty::Int) => I::I32LtU,
        ("<=", Ty::Int) => I::I32LeU,
        (">", Ty::Int) => I::I32GtU,
        (">=", Ty::Int) => I::I32GeU,
        ("+", Ty::Long) => I::I64Add,
        ("-", Ty::Long) => I::I64Sub,
        ("*", Ty::Long) => I::I64Mul,
        ("/", Ty::Long) => I::I64DivU,
        ("%", Ty::Long) => I::I64RemU,
        ("&", Ty::Long) => I::I64And,
        ("|", Ty::Long) => I::I64Or,
        ("^", Ty::Long) => I::I64Xor,
        ("<<", Ty::Long) => I::I64Shl,
        (">>", Ty::Long) => I::I64ShrU,
        ("==", Ty::Long) => I::I64Eq,
        ("!=", Ty::Long) => I::I64Ne,
        ("<", Ty::Long) => I::I64LtU,
        ("<=", Ty::Long) => I::I64LeU,
        (">", Ty::Long) => I::I64GtU,
        (">=", Ty::Long) => I::I64GeU,
        _ => panic!("no operator {sign} on {ty:?}"),
    }
}

pub(crate) fn intrinsic(name: &str) -> Option<(I<'static>, Vec<Ty>, Ty)> {
    use Ty::{Int, Long, Void};
    let copy = |dst_mem, src_mem| I::MemoryCopy { src_mem, dst_mem };
    let three = vec![Int, Int, Int];
    Some(match name {
        "long" => (I::I64ExtendI32U, vec![Int], Long),
        "int" => (I::I32WrapI64, vec![Long], Int),
        "clz" => (I::I32Clz, vec![Int], Int),
        "rotl" => (I::I64Rotl, vec![Long, Long], Long),
        "negative" => (I::I64LtS, vec![Long, Long], Int),
        "copy" => (copy(OWN, OWN), three, Void),
        "copy_in" => (copy(OWN, GUEST), three, Void),
        "copy_out" => (copy(GUEST, OWN), three, Void),
        "fill" => (I::MemoryFill(OWN), three, Void),
        "guest_pages" => (I::MemorySize(GUEST), vec![], Int),
        "pages" => (I::MemorySize(OWN), vec![], Int),
        "grow" => (I::MemoryGrow(OWN), vec![Int], Int),
        "trap" => (I::Unreachable, vec![], Void),
        _ => return None,
    })
}
