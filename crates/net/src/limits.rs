//! Limits and timings both ends of a channel share.

use std::time::Duration;

/// Largest message of any call: a batch of a few thousand small units, or an inline claims file;
/// anything larger travels as content in chunks.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest piece of content in one message, so that small calls get through between pieces.
pub const CHUNK_BYTES_MAX: usize = 256 * 1024;
/// Deadline of a call that needs no chain and no other peer, over a bad line.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes in flight of one call: a transatlantic round trip at 80 Mbit/s.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes in flight of a channel: several calls of that kind at once.
pub(crate) const CHANNEL_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// How often a silent channel is probed: a miner's work stream may be silent for hours.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How long the answer to a probe may take.
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A call with a deadline, which both sides enforce. Of a call that streams its answer it bounds only the beginning.
pub fn call_within<T>(deadline: Duration, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(deadline);
    request
}

/// A call with the ordinary deadline, [`CALL_TIMEOUT`].
pub fn call<T>(message: T) -> tonic::Request<T> {
    call_within(CALL_TIMEOUT, message)
}
