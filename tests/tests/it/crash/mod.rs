//! Every process may die anywhere: the job ends, nobody is paid twice, nothing paid is lost, sums add up.
#![expect(clippy::print_stdout, reason = "seed and outcome of a run")]

mod audit;
mod chaos;
pub(crate) mod jobs;
pub(crate) mod market;
mod points;
mod rare;
mod scenes;
pub(crate) mod visits;
