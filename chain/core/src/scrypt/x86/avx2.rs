//! Two hashes per vector, three vectors in turn.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_permute2x128_si256, _mm256_setr_epi32, _mm256_shuffle_epi32,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_xor_si256,
};

mixer!("avx2", __m256i, 2, 3);

#[target_feature(enable = "avx2")]
#[inline]
fn add(a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi32(a, b)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(a, b)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor_rotated<const LEFT: i32, const RIGHT: i32>(a: __m256i, b: __m256i) -> __m256i {
    xor(
        xor(a, _mm256_slli_epi32::<LEFT>(b)),
        _mm256_srli_epi32::<RIGHT>(b),
    )
}

#[target_feature(enable = "avx2")]
#[inline]
fn turn<const ORDER: i32>(a: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<ORDER>(a)
}

#[target_feature(enable = "avx2")]
#[inline]
fn row([low, high]: [[u32; 4]; 2]) -> __m256i {
    let [a, b, c, d] = low.map(u32::cast_signed);
    let [e, f, g, h] = high.map(u32::cast_signed);
    _mm256_setr_epi32(a, b, c, d, e, f, g, h)
}

#[target_feature(enable = "avx2")]
#[inline]
fn words(row: __m256i) -> [[u32; 4]; 2] {
    // SAFETY: both are 32 bytes of plain integers.
    unsafe { std::mem::transmute(row) }
}

/// The low halves of both, then their high halves.
#[target_feature(enable = "avx2")]
#[inline]
fn exchange(a: __m256i, b: __m256i) -> [__m256i; 2] {
    [
        _mm256_permute2x128_si256::<0x20>(a, b),
        _mm256_permute2x128_si256::<0x31>(a, b),
    ]
}

#[target_feature(enable = "avx2")]
#[inline]
fn to_states(rows: &Rows) -> [State; 2] {
    let pairs = [0, 2, 4, 6].map(|r| exchange(rows[r], rows[r + 1]));
    [pairs.map(|pair| pair[0]), pairs.map(|pair| pair[1])]
}

#[target_feature(enable = "avx2")]
#[inline]
fn to_rows([first, second]: &[State; 2]) -> Rows {
    let pairs = [0, 1, 2, 3].map(|i| exchange(first[i], second[i]));
    std::array::from_fn(|r| pairs[r / 2][r % 2])
}
