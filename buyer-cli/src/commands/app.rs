//! `app`: the pool of applications: publish one, list what there is, advise against a version (GV-20).

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use gio_agent::{Code, ExitStatus, UserError};
use gio_evm::{AppKind, Chain, ReleaseDraft, ReleaseInfo};
use gio_machine::{PrepareLimits, prepare};
use gio_protocol::{Address, keccak256};
use serde_json::{Value, json};

use crate::apps::{AppName, Apps, release};
use crate::cli::Global;
use crate::faults;
use crate::infra::inputs::read_module;
use crate::output::printable;
use crate::session::Session;

/// Lines of a list: more are reached with --skip.
const LINES_MAX: u64 = 100;

/// Applications by name and version: publish, list, advise against
#[derive(Clone, Debug, Args)]
pub struct App {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    Publish(Publish),
    List(List),
    Deprecate(Deprecate),
}

/// Publish a version of an application; a free name becomes yours
///
/// What is published never changes: the bytes' hash, the royalty per mille. Run again with the same arguments, the
/// command says that it is done. Jobs use it with `submit --app NAME@VERSION`.
#[derive(Clone, Debug, Args)]
struct Publish {
    /// The application and its version
    #[arg(value_name = "NAME@VERSION")]
    app: AppName,
    /// The program: a WASI command module
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// What you earn of every payment for it, in thousandths
    #[arg(long, value_name = "PER_MILLE", default_value_t = 0)]
    royalty: u16,
    /// Who earns it [default: this buyer's account]
    #[arg(long, value_name = "ADDRESS")]
    royalty_to: Option<Address>,
    /// Licence, arguments, or a page that tells them and where the bytes are
    #[arg(long, value_name = "TEXT", default_value = "")]
    about: String,
}

/// List the applications of the pool, or the versions of one
#[derive(Clone, Debug, Args)]
struct List {
    /// An application
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Lines to leave out
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
}

/// Advise against a version, for good; deals that exist go on
#[derive(Clone, Debug, Args)]
struct Deprecate {
    /// The application and its version
    #[arg(value_name = "NAME@VERSION")]
    app: AppName,
}

impl App {
    /// Runs the command.
    ///
    /// # Errors
    /// A [`UserError`] about the arguments, the chain or what the pool refuses.
    pub async fn run(self, global: &Global) -> Result<ExitStatus, UserError> {
        let session = Session::open(global.home())?;
        let chain = session.chain().await?;
        match self.command {
            Command::Publish(command) => command.run(&session, &chain, global).await,
            Command::List(command) => command.run(&chain, global).await,
            Command::Deprecate(command) => command.run(&chain, global).await,
        }
    }
}

impl Publish {
    async fn run(
        self,
        session: &Session,
        chain: &Chain,
        global: &Global,
    ) -> Result<ExitStatus, UserError> {
        let module = read_module(&self.wasm).map_err(|error| {
            let hint = format!("--wasm {} must be a file", self.wasm.display());
            faults::usage(error).hint(hint)
        })?;
        prepare(&module, &PrepareLimits::default()).map_err(|error| {
            faults::usage(error).hint("this market does not run such a program")
        })?;
        let draft = ReleaseDraft {
            kind: AppKind::WasmModule,
            digest: keccak256(&module),
            royalty_per_mille: self.royalty,
            royalty_to: match self.royalty {
                0 => Address::ZERO,
                _ => self.royalty_to.unwrap_or(session.address()),
            },
            about: self.about.clone(),
        };
        let AppName { name, version } = &self.app;
        let tx = match release(chain, &self.app).await? {
            Some(found) => {
                check_same(&self.app, &found, &draft)?;
                None
            }
            None => {
                let sent = Box::pin(chain.publish_app(name, version, &draft)).await;
                gio_failpoint::fail_point!("buyer.sent.publication");
                Some(sent.map_err(faults::send)?.hash)
            }
        };
        // The publisher can use it at once, by its name alone.
        Apps::of(session).keep(&self.app, draft.digest, &module)?;
        let (app, digest) = (&self.app, draft.digest);
        let text = match tx {
            Some(_) => format!(
                "{app} is published: {digest}, royalty {} per mille",
                self.royalty
            ),
            None => format!("{app} was published before, just so"),
        };
        let mut value = line(&app.to_string(), &draft, false);
        value["tx"] = json!(tx);
        global.output().result(&text, &value);
        Ok(ExitStatus::Ok)
    }
}

/// A version is published once; what differs is for the publisher to decide.
fn check_same(app: &AppName, found: &ReleaseInfo, draft: &ReleaseDraft) -> Result<(), UserError> {
    // The recipient may have moved since.
    let same = found.draft.digest == draft.digest
        && found.draft.royalty_per_mille == draft.royalty_per_mille
        && found.draft.kind == draft.kind;
    if same {
        return Ok(());
    }
    let text = format!(
        "{app} is published with {} and a royalty of {} per mille",
        found.draft.digest, found.draft.royalty_per_mille
    );
    Err(UserError::new(text, ExitStatus::Usage).hint("publish another version"))
}

impl List {
    async fn run(self, chain: &Chain, global: &Global) -> Result<ExitStatus, UserError> {
        let (text, values) = match &self.name {
            None => self.apps(chain).await?,
            Some(name) => self.versions(chain, name).await?,
        };
        global.output().result(&text, &values);
        Ok(ExitStatus::Ok)
    }

    async fn apps(&self, chain: &Chain) -> Result<(String, Vec<Value>), UserError> {
        let apps = chain
            .apps(self.skip, LINES_MAX)
            .await
            .map_err(faults::chain)?;
        let mut text = format!(
            "{:<32} {:<16} {:>8}  {}\n",
            "NAME", "LATEST", "VERSIONS", "OWNER"
        );
        let mut values = Vec::new();
        for app in &apps {
            let (name, latest) = (printable(&app.name), printable(&app.latest_version));
            let _ = writeln!(
                text,
                "{name:<32} {latest:<16} {:>8}  {}",
                app.releases, app.owner
            );
            values.push(json!({
                "name": app.name, "latest": app.latest_version, "versions": app.releases.to_string(),
                "owner": app.owner,
            }));
        }
        Ok((text, values))
    }

    async fn versions(&self, chain: &Chain, name: &str) -> Result<(String, Vec<Value>), UserError> {
        let versions = chain.app_versions(name, self.skip, LINES_MAX).await;
        let mut text = format!(
            "{:<24} {:>9}  {:<66}  {}\n",
            "APP", "ROYALTY", "PROGRAM", "ABOUT"
        );
        let mut values = Vec::new();
        for version in versions.map_err(faults::chain)? {
            let found = chain.release(name, &version).await.map_err(faults::chain)?;
            let (app, draft) = (format!("{name}@{version}"), &found.draft);
            let mark = if found.is_deprecated {
                " (do not use)"
            } else {
                ""
            };
            let (per_mille, about) = (draft.royalty_per_mille, printable(&draft.about));
            let _ = writeln!(
                text,
                "{app:<24} {per_mille:>7} ‰  {}  {about}{mark}",
                draft.digest
            );
            values.push(line(&app, draft, found.is_deprecated));
        }
        Ok((text, values))
    }
}

impl Deprecate {
    async fn run(self, chain: &Chain, global: &Global) -> Result<ExitStatus, UserError> {
        let app = &self.app;
        let unknown = || {
            let text = format!("nobody published {app}");
            UserError::of(Code::Usage, text).hint("gio-buyer app list")
        };
        let found = release(chain, app).await?.ok_or_else(unknown)?;
        if !found.is_deprecated {
            let sent = Box::pin(chain.deprecate_app(&app.name, &app.version)).await;
            gio_failpoint::fail_point!("buyer.sent.deprecation");
            sent.map_err(faults::send)?;
        }
        let text = format!("{app} is advised against");
        let value = line(&app.to_string(), &found.draft, true);
        global.output().result(&text, &value);
        Ok(ExitStatus::Ok)
    }
}

fn line(app: &str, draft: &ReleaseDraft, deprecated: bool) -> Value {
    json!({
        "app": app, "kind": draft.kind, "digest": draft.digest, "royalty_per_mille": draft.royalty_per_mille,
        "royalty_to": draft.royalty_to, "about": draft.about, "deprecated": deprecated,
    })
}
