//! `reduce`: a reducing program over a job's outputs, as a second deal (R1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use gio_agent::{Code, ExitStatus, UserError};
use gio_content::assembled_files;

use super::find_job;
use super::submit::Buying;
use crate::cli::Global;
use crate::decimal::Decimal;
use crate::faults;
use crate::infra::inputs::{InputError, LoadedJob, load_from, read_module};
use crate::job::Job;
use crate::job_file::{Assembly, JobFile};
use crate::job_flags::MarketFlags;
use crate::job_request::JobRequest;
use crate::results;
use crate::session::Session;
use crate::steps::{blocking, unix_ms};

/// Have a miner reduce a job's outputs, as a second deal
///
/// The program sees the outputs this buyer received and checked as `<unit>/<path>`, as a reducing program in the
/// buyer's own sandbox does. The buyer computes the second deal's input root from them; nobody else chooses what is
/// reduced.
#[derive(Clone, Debug, Args)]
pub struct Reduce {
    /// The job whose outputs are reduced, or the beginning of its id
    #[arg(value_name = "JOB")]
    job: String,
    /// The reducing program [default: the one the job names]
    #[arg(long, value_name = "FILE", help_heading = "Job")]
    wasm: Option<PathBuf>,
    /// What to call the second job
    #[arg(long, value_name = "NAME", help_heading = "Job")]
    name: Option<String>,
    /// Most PU (10^9 metered instructions) [default: 10]
    #[arg(long, value_name = "PU", help_heading = "Limits")]
    pu: Option<Decimal>,
    /// Most memory [default: 256]
    #[arg(long, value_name = "MIB", help_heading = "Limits")]
    memory_mib: Option<u32>,
    /// Most output [default: 16]
    #[arg(long, value_name = "MIB", help_heading = "Limits")]
    output_mib: Option<u32>,
    #[command(flatten)]
    market: MarketFlags,
    #[command(flatten)]
    buying: Buying,
    /// Arguments of the program [default: those the job names]
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// The reducing program, and what it is called with.
struct Reducer {
    name: PathBuf,
    module: Vec<u8>,
    args: Vec<String>,
}

impl Reduce {
    /// Makes the second job of the first one's outputs, and buys it.
    ///
    /// # Errors
    /// A [`UserError`] if outputs are missing, or as `submit`.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let submitted = unix_ms();
        let session = Session::open(global.home())?;
        let job = find_job(&session, &self.job)?;
        let files = outputs(&session, &job).await?;
        let reducer = self.reducer(&session, &job)?;
        let loaded = self.loaded(&job, reducer, files).await?;
        self.buying
            .buy(&session, loaded, submitted, global.output())
            .await
    }

    fn reducer(&self, session: &Session, job: &Job) -> Result<Reducer, UserError> {
        let named = match &job.order.assembly {
            Assembly::Reduce { program, args } => Some((*program, args.clone())),
            Assembly::Concat | Assembly::Directory => None,
        };
        let args = |default: &[String]| match self.args.is_empty() {
            true => default.to_vec(),
            false => self.args.clone(),
        };
        if let Some(path) = &self.wasm {
            let module = read_module(path).map_err(|source| {
                let path = path.clone();
                faults::job(InputError::Io { path, source })
            })?;
            return Ok(Reducer {
                name: path.clone(),
                module,
                args: args(&named.map(|(_, args)| args).unwrap_or_default()),
            });
        }
        let Some((program, default)) = named else {
            let text = format!("{} names no reducing program", job.id);
            return Err(UserError::of(Code::JobInvalid, text)
                .hint("--wasm FILE, and its arguments after --"));
        };
        // A reducing program is called as the job's own, like in the buyer's sandbox.
        let own = job.order.spec.args.first().map_or("reduce", String::as_str);
        Ok(Reducer {
            name: PathBuf::from(own),
            module: session.contents().get(program)?,
            args: args(&default),
        })
    }

    async fn loaded(
        &self,
        job: &Job,
        reducer: Reducer,
        files: BTreeMap<String, Vec<u8>>,
    ) -> Result<LoadedJob, UserError> {
        let default = format!("{} reduced", job.order.spec.name);
        let mut file = JobFile {
            wasm: Some(reducer.name),
            name: Some(self.name.clone().unwrap_or(default)),
            args: reducer.args,
            ..JobFile::default()
        };
        file.limits.pu.clone_from(&self.pu);
        file.limits.memory_mib = self.memory_mib;
        file.limits.output_mib = self.output_mib;
        let mut request = JobRequest::new(file, Path::new("")).map_err(faults::job)?;
        self.market.change(&mut request)?;
        let loaded = blocking(move || load_from(&request, reducer.module, files)).await;
        loaded.map_err(|error| error.code(Code::JobInvalid))
    }
}

/// What the units delivered, every one of them, as a reducing program sees it.
async fn outputs(session: &Session, job: &Job) -> Result<BTreeMap<String, Vec<u8>>, UserError> {
    let missing = |text: String| {
        let error = UserError::of(Code::ResultMissing, text).escrow("untouched");
        error.next(format!("gio-buyer why {}", job.id))
    };
    if job.dealt().is_none_or(|dealt| dealt.collected.is_none()) {
        return Err(missing(format!("the outputs of {} are not here", job.id)));
    }
    let units = results::units(session, job).await?;
    if let Some(unit) = units.iter().position(Option::is_none) {
        return Err(missing(format!(
            "unit {unit} of {} was not delivered",
            job.id
        )));
    }
    let images: Vec<_> = units
        .into_iter()
        .map(|unit| unit.map(|unit| unit.image))
        .collect();
    Ok(assembled_files(&images)?)
}
