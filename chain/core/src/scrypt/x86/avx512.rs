//! Four hashes per vector, four vectors in turn.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_rol_epi32, _mm512_setr_epi32, _mm512_shuffle_epi32,
    _mm512_shuffle_i32x4, _mm512_xor_si512,
};

mixer!("avx512f", __m512i, 4, 4);

#[target_feature(enable = "avx512f")]
#[inline]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(a, b)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor(a: __m512i, b: __m512i) -> __m512i {
    _mm512_xor_si512(a, b)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor_rotated<const LEFT: i32, const RIGHT: i32>(a: __m512i, b: __m512i) -> __m512i {
    const { assert!(LEFT + RIGHT == 32, "the two shifts of the narrower paths") }
    xor(a, _mm512_rol_epi32::<LEFT>(b))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn turn<const ORDER: i32>(a: __m512i) -> __m512i {
    _mm512_shuffle_epi32::<ORDER>(a)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn row(words: [[u32; 4]; 4]) -> __m512i {
    let [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]] =
        words.map(|four| four.map(u32::cast_signed));
    _mm512_setr_epi32(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn words(row: __m512i) -> [[u32; 4]; 4] {
    // SAFETY: both are 64 bytes of plain integers.
    unsafe { std::mem::transmute(row) }
}

/// Four vectors of four 16-byte lanes, transposed. Twice gives the same again.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let low_ab = _mm512_shuffle_i32x4::<0x44>(a, b);
    let high_ab = _mm512_shuffle_i32x4::<0xee>(a, b);
    let low_cd = _mm512_shuffle_i32x4::<0x44>(c, d);
    let high_cd = _mm512_shuffle_i32x4::<0xee>(c, d);
    [
        _mm512_shuffle_i32x4::<0x88>(low_ab, low_cd),
        _mm512_shuffle_i32x4::<0xdd>(low_ab, low_cd),
        _mm512_shuffle_i32x4::<0x88>(high_ab, high_cd),
        _mm512_shuffle_i32x4::<0xdd>(high_ab, high_cd),
    ]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn to_states(rows: &Rows) -> [State; 4] {
    let first = transpose([rows[0], rows[1], rows[2], rows[3]]);
    let second = transpose([rows[4], rows[5], rows[6], rows[7]]);
    [0, 1, 2, 3].map(|lane| [first[lane], second[lane]])
}

#[target_feature(enable = "avx512f")]
#[inline]
fn to_rows(states: &[State; 4]) -> Rows {
    let first = transpose([0, 1, 2, 3].map(|lane| states[lane][0]));
    let second = transpose([0, 1, 2, 3].map(|lane| states[lane][1]));
    std::array::from_fn(|r| if r < 4 { first[r] } else { second[r - 4] })
}
