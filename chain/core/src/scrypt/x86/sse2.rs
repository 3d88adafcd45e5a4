//! One hash per vector, three vectors in turn.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_setr_epi32, _mm_shuffle_epi32, _mm_slli_epi32, _mm_srli_epi32,
    _mm_xor_si128,
};

mixer!("sse2", __m128i, 1, 3);

#[target_feature(enable = "sse2")]
#[inline]
fn add(a: __m128i, b: __m128i) -> __m128i {
    _mm_add_epi32(a, b)
}

#[target_feature(enable = "sse2")]
#[inline]
fn xor(a: __m128i, b: __m128i) -> __m128i {
    _mm_xor_si128(a, b)
}

#[target_feature(enable = "sse2")]
#[inline]
fn xor_rotated<const LEFT: i32, const RIGHT: i32>(a: __m128i, b: __m128i) -> __m128i {
    xor(
        xor(a, _mm_slli_epi32::<LEFT>(b)),
        _mm_srli_epi32::<RIGHT>(b),
    )
}

#[target_feature(enable = "sse2")]
#[inline]
fn turn<const ORDER: i32>(a: __m128i) -> __m128i {
    _mm_shuffle_epi32::<ORDER>(a)
}

#[target_feature(enable = "sse2")]
#[inline]
fn row([words]: [[u32; 4]; 1]) -> __m128i {
    let [a, b, c, d] = words.map(u32::cast_signed);
    _mm_setr_epi32(a, b, c, d)
}

#[target_feature(enable = "sse2")]
#[inline]
fn words(row: __m128i) -> [[u32; 4]; 1] {
    // SAFETY: both are 16 bytes of plain integers.
    unsafe { std::mem::transmute(row) }
}

#[target_feature(enable = "sse2")]
#[inline]
fn to_states(rows: &Rows) -> [State; 1] {
    [*rows]
}

#[target_feature(enable = "sse2")]
#[inline]
fn to_rows(states: &[State; 1]) -> Rows {
    states[0]
}
