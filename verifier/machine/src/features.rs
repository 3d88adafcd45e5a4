//! The accepted feature set, and how a rejection names what is missing.

use wasmparser::{Operator, WasmFeatures};

use crate::error::{Place, PrepareError};

/// What every machine version executes: MVP with floats, mutable globals, sign extension, saturating
/// conversion, multi-value, bulk memory (its table part is refused below) and the overlong
/// `call_indirect` table index that current compilers emit.
pub(crate) fn accepted() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::FLOATS
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::CALL_INDIRECT_OVERLONG
}

/// The same for a linked program: the shim's memory is a second one, which no guest can name.
pub(crate) fn linked() -> WasmFeatures {
    accepted() | WasmFeatures::MULTI_MEMORY
}

/// Refuses the operators that the validator's feature switches cannot tell apart from accepted ones.
pub(crate) fn check_operator(operator: &Operator<'_>, place: Place) -> Result<(), PrepareError> {
    let feature = match operator {
        Operator::TableInit { .. } => "table.init",
        Operator::TableCopy { .. } => "table.copy",
        Operator::ElemDrop { .. } => "elem.drop",
        _ => return Ok(()),
    };
    Err(PrepareError::Feature { feature, place })
}

/// The validator's refusal in this crate's words.
pub(crate) fn refusal(error: &wasmparser::Error, function: Option<u32>) -> PrepareError {
    let place = Place {
        function,
        offset: error.offset(),
    };
    match error.missing_wasm_feature() {
        Some(missing) => PrepareError::Feature {
            feature: name(missing),
            place,
        },
        // The only feature that the validator tells by its words alone.
        None if error.message() == "multiple tables" => PrepareError::Feature {
            feature: "a second table",
            place,
        },
        None => PrepareError::Invalid {
            message: error.message().to_owned(),
            place,
        },
    }
}

fn name(missing: WasmFeatures) -> &'static str {
    const NAMES: &[(WasmFeatures, &str)] = &[
        (WasmFeatures::SIMD, "SIMD"),
        (WasmFeatures::RELAXED_SIMD, "relaxed SIMD"),
        (WasmFeatures::THREADS, "threads and atomics"),
        (WasmFeatures::TAIL_CALL, "tail calls"),
        (WasmFeatures::REFERENCE_TYPES, "reference types"),
        (WasmFeatures::FUNCTION_REFERENCES, "function references"),
        (WasmFeatures::GC, "garbage collection"),
        (WasmFeatures::EXCEPTIONS, "exception handling"),
        (
            WasmFeatures::LEGACY_EXCEPTIONS,
            "exception handling (legacy)",
        ),
        (WasmFeatures::MEMORY64, "64-bit memory"),
        (
            WasmFeatures::EXTENDED_CONST,
            "extended constant expressions",
        ),
        (WasmFeatures::MEMORY_CONTROL, "memory control"),
        (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes"),
        (WasmFeatures::WIDE_ARITHMETIC, "wide arithmetic"),
        (WasmFeatures::STACK_SWITCHING, "stack switching"),
        (WasmFeatures::COMPONENT_MODEL, "components"),
        (
            WasmFeatures::SHARED_EVERYTHING_THREADS,
            "shared-everything threads",
        ),
    ];
    NAMES
        .iter()
        .find(|(feature, _)| missing.intersects(*feature))
        .map_or("a newer WebAssembly feature", |(_, name)| name)
}
