//! One attempt at a unit: instantiate, call, and say how it ended.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::{Extern, Global, PoolConcurrencyLimitError, Store, Trap, Val};

use crate::error::RunError;
use crate::host::{Host, Unit};
use crate::limits::{RunControl, StopReason, UnitLimits};
use crate::meter::Halt;
use crate::program::Build;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exit(u32),
    /// In the program: the fast build does not know what it used until then.
    GuestTrap,
    /// In a call of the host, where every build knows.
    HostTrap,
    Exhausted,
}

/// An attempt that ended by the unit's own rules.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) end: End,
    /// CU used, by the counter in the global.
    pub(crate) cu: u64,
    /// Bytes of the output, and how long the program says it is.
    pub(crate) output: (Vec<u8>, u64),
}

pub(crate) fn attempt(
    build: &Build,
    unit: &Unit<'_>,
    limits: &UnitLimits,
    control: &RunControl,
) -> Result<Attempt, RunError> {
    let engine = build.instance.module().engine();
    let host = Host::new(unit, limits, control, build.exports)?;
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.pages);
    let mut counter = None;
    let called = wait(call(build, &mut store, &mut counter, limits.pages_max));
    let end = match called {
        Ok(()) => End::Exit(0),
        Err(error) => end(&error, &store)?,
    };
    // Without an instance nothing has run: its data or table did not fit.
    let left = counter.map_or(0, |counter| {
        counter.get(&mut store).i64().unwrap_or_default()
    });
    let host = store.into_data();
    let cu = host.meter.used(left);
    let output = host
        .world
        .into_output()
        .map_err(|error| RunError::Host(format!("the output is no image: {error}")))?;
    Ok(Attempt { end, cu, output })
}

async fn call(
    build: &Build,
    store: &mut Store<Host>,
    counter: &mut Option<Global>,
    pages_max: u32,
) -> wasmtime::Result<()> {
    let instance = build.instance.instantiate_async(&mut *store).await?;
    let mut export = |export| instance.get_module_export(&mut *store, export);
    let exports = &build.exports;
    *counter = export(&exports.counter).and_then(Extern::into_global);
    let stack = export(&exports.stack).and_then(Extern::into_global);
    let pages = exports.pages.as_ref().and_then(&mut export);
    let start = exports.start.as_ref().and_then(&mut export);
    let entry = export(&exports.entry).and_then(Extern::into_func);
    let (Some(stack), Some(entry)) = (stack, entry) else {
        wasmtime::bail!("the prepared module lacks its own exports");
    };
    if let Some(pages) = pages.and_then(Extern::into_global) {
        pages.set(&mut *store, Val::I32(pages_max.cast_signed()))?;
    }
    for function in start.and_then(Extern::into_func).into_iter().chain([entry]) {
        stack.set(&mut *store, Val::I32(0))?;
        function.call_async(&mut *store, &[], &mut []).await?;
    }
    Ok(())
}

/// Tells the unit's own ends from everything that is no result (R21).
fn end(error: &wasmtime::Error, store: &Store<Host>) -> Result<End, RunError> {
    if let Some(reason) = &store.data().pages.failed {
        return Err(RunError::Host(format!("out of memory: {reason}")));
    }
    if let Some(halt) = error.downcast_ref::<Halt>() {
        return match halt {
            Halt::Exit(code) => Ok(End::Exit(*code)),
            Halt::Trap => Ok(End::HostTrap),
            Halt::Exhausted => Ok(End::Exhausted),
            Halt::Stop(StopReason::Cancelled) => Err(RunError::Cancelled),
            Halt::Stop(StopReason::DeadlinePassed) => Err(RunError::DeadlinePassed),
        };
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Err(RunError::Busy);
    }
    match error.downcast_ref::<Trap>() {
        Some(
            Trap::UnreachableCodeReached
            | Trap::MemoryOutOfBounds
            | Trap::TableOutOfBounds
            | Trap::IndirectCallToNull
            | Trap::BadSignature
            | Trap::IntegerOverflow
            | Trap::IntegerDivisionByZero
            | Trap::BadConversionToInteger,
        ) => Ok(End::GuestTrap),
        // The native stack must never be the limit (see gio-machine); if it is, this machine cannot judge.
        _ => Err(RunError::Host(format!("{error:#}"))),
    }
}

/// Drives a future of wasmtime's to its end. It runs the program on a stack of its own, which is why it is a
/// future at all; nothing in it waits for anything outside.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
