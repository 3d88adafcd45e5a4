//! Every error a person meets, by its code: why it happens and what to do. `docs/errors.md` holds the same table; a
//! test compares them.

use std::fmt::Write as _;

use crate::exit::ExitStatus;

/// The stable name of an error; texts may change, these do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table below says what each means")]
pub enum Code {
    Usage,
    HomeMissing,
    HomeDamaged,
    HomeBusy,
    ConfigInvalid,
    JobInvalid,
    JobUnknown,
    JobBusy,
    JobCancelled,
    JobDamaged,
    NothingToDo,
    CapMissing,
    Declined,
    FundsGio,
    FundsGas,
    NoHubFound,
    NoHubFits,
    NoHubTook,
    RpcUnreachable,
    WrongChain,
    ContractsWrong,
    ContractRefused,
    HubUnreachable,
    HubRefused,
    NetInvalid,
    TooEarly,
    TooLate,
    ResultBad,
    ResultMissing,
    NotRunning,
    ReloadRefused,
    WalletState,
    Database,
    Unhealthy,
    Internal,
}

/// What is known of a code beside its name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name as printed.
    pub name: &'static str,
    /// The exit code it usually ends a program with.
    pub exit: ExitStatus,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// What becomes of the money.
    pub escrow: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// Nothing was signed, sent or locked.
const UNTOUCHED: &str = "untouched";
/// The error comes in the middle of a job and says itself where the money is.
const SAID: &str = "said in the error";

const fn entry(
    name: &'static str,
    exit: ExitStatus,
    retryable: bool,
    escrow: &'static str,
    [why, fix]: [&'static str; 2],
) -> Entry {
    Entry {
        name,
        exit,
        retryable,
        escrow,
        why,
        fix,
    }
}

impl Code {
    /// Every code, in the order of the table.
    pub const ALL: [Self; 35] = [
        Self::Usage,
        Self::HomeMissing,
        Self::HomeDamaged,
        Self::HomeBusy,
        Self::ConfigInvalid,
        Self::JobInvalid,
        Self::JobUnknown,
        Self::JobBusy,
        Self::JobCancelled,
        Self::JobDamaged,
        Self::NothingToDo,
        Self::CapMissing,
        Self::Declined,
        Self::FundsGio,
        Self::FundsGas,
        Self::NoHubFound,
        Self::NoHubFits,
        Self::NoHubTook,
        Self::RpcUnreachable,
        Self::WrongChain,
        Self::ContractsWrong,
        Self::ContractRefused,
        Self::HubUnreachable,
        Self::HubRefused,
        Self::NetInvalid,
        Self::TooEarly,
        Self::TooLate,
        Self::ResultBad,
        Self::ResultMissing,
        Self::NotRunning,
        Self::ReloadRefused,
        Self::WalletState,
        Self::Database,
        Self::Unhealthy,
        Self::Internal,
    ];

    /// The name as printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The code of an error that says nothing but its exit code.
    #[must_use]
    pub fn of(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Usage => Self::Usage,
            ExitStatus::NotDelivered => Self::ResultMissing,
            ExitStatus::NoMatch => Self::NoHubFits,
            ExitStatus::Funds => Self::FundsGio,
            ExitStatus::Unreachable => Self::HubUnreachable,
            ExitStatus::BadResult => Self::ResultBad,
            ExitStatus::Ok
            | ExitStatus::Failure
            | ExitStatus::UnitFailed
            | ExitStatus::Detached => Self::Internal,
        }
    }

    /// What is known of it.
    #[must_use]
    pub const fn entry(self) -> Entry {
        match self {
            Self::NoHubFound
            | Self::NoHubFits
            | Self::NoHubTook
            | Self::HubUnreachable
            | Self::HubRefused
            | Self::ResultBad
            | Self::ResultMissing => self.of_hubs(),
            Self::FundsGio
            | Self::FundsGas
            | Self::RpcUnreachable
            | Self::WrongChain
            | Self::ContractsWrong
            | Self::ContractRefused
            | Self::TooEarly
            | Self::TooLate
            | Self::WalletState => self.of_the_chain(),
            Self::JobInvalid
            | Self::JobUnknown
            | Self::JobBusy
            | Self::JobCancelled
            | Self::JobDamaged
            | Self::NothingToDo
            | Self::CapMissing
            | Self::Declined => self.of_jobs(),
            _ => self.of_the_machine(),
        }
    }

    const fn of_the_machine(self) -> Entry {
        use ExitStatus::{Failure, Usage};
        match self {
            Self::HomeMissing => entry(
                "home-missing",
                Usage,
                false,
                UNTOUCHED,
                [
                    "`init` was not run, or `--home` names another folder",
                    "the `init` command in the hint, or `--home`",
                ],
            ),
            Self::HomeDamaged => entry(
                "home-damaged",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the key file cannot be read as a key, or others can read it",
                    "bring the key back from your copy; `chmod 600` it",
                ],
            ),
            Self::HomeBusy => entry(
                "home-busy",
                Usage,
                true,
                UNTOUCHED,
                [
                    "another process of this agent uses the folder; two would sign with the same nonces",
                    "stop it, or give the second agent a folder of its own with `--home`",
                ],
            ),
            Self::ConfigInvalid => entry(
                "config-invalid",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the config file cannot be read, has a key that does not exist, or a value out of range",
                    "the line and the nearest key are in the error",
                ],
            ),
            Self::NetInvalid => entry(
                "net-invalid",
                Usage,
                false,
                UNTOUCHED,
                [
                    "an address of `listen` or `bootstrap` is none, or cannot be listened on",
                    "correct it in config.toml; another process may have the port",
                ],
            ),
            Self::NotRunning => entry(
                "not-running",
                Failure,
                false,
                UNTOUCHED,
                [
                    "`drain`, `resume`, `reload` and the node's `rpc` talk to a running agent, and there is none in this home",
                    "`start` it, or name its folder with `--home`",
                ],
            ),
            Self::ReloadRefused => entry(
                "reload-refused",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the changed config is wrong, or changes a key that only a restart can; nothing was taken over",
                    "correct the key in the error, then `reload` again",
                ],
            ),
            Self::Database => entry(
                "database",
                Failure,
                false,
                SAID,
                [
                    "the database cannot be opened or read: damaged, of a later version, or the disk refuses",
                    "`doctor` says which; bring it back from a copy",
                ],
            ),
            Self::Unhealthy => entry(
                "unhealthy",
                Failure,
                false,
                UNTOUCHED,
                [
                    "`doctor` found something that does not work",
                    "the hints of the lines that say `fail`",
                ],
            ),
            Self::Usage => entry(
                "usage",
                Usage,
                false,
                UNTOUCHED,
                ["the command line is wrong", "`--help` of the command"],
            ),
            _ => entry(
                "internal",
                Failure,
                false,
                SAID,
                [
                    "something no other code names: a disk, a contract, a loop that ended",
                    "`because:` in the error; logs with `--log debug`",
                ],
            ),
        }
    }

    const fn of_jobs(self) -> Entry {
        use ExitStatus::{Failure, Usage};
        match self {
            Self::JobInvalid => entry(
                "job-invalid",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the job file or flags are wrong: a file is missing, an unknown key, a module that cannot run, an impossible limit, price or deadline",
                    "the error names the key and the nearest valid one",
                ],
            ),
            Self::JobUnknown => entry(
                "job-unknown",
                Usage,
                false,
                UNTOUCHED,
                [
                    "no job here has this id, or several begin so",
                    "`gio-buyer list`",
                ],
            ),
            Self::JobBusy => entry(
                "job-busy",
                Usage,
                true,
                SAID,
                [
                    "another gio-buyer follows this job",
                    "wait for it, or stop it; the job itself goes on",
                ],
            ),
            Self::JobCancelled => entry(
                "job-cancelled",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the job was cancelled before a deal was opened",
                    "`gio-buyer submit` it again",
                ],
            ),
            Self::JobDamaged => entry(
                "job-damaged",
                Failure,
                false,
                SAID,
                [
                    "the job's record or one of the buyer's own copies was changed or cut off, or a later version wrote it",
                    "bring the home back from a copy; what the chain says of the deal is safe",
                ],
            ),
            Self::NothingToDo => entry(
                "nothing-to-do",
                Usage,
                false,
                SAID,
                [
                    "the job is not where this command could do anything: never opened, over, or posted already",
                    "`gio-buyer status JOB`",
                ],
            ),
            Self::CapMissing => entry(
                "cap-missing",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the job names no cap and its limits would lock more than `cap_default_max_gio`",
                    "`--cap GIO`, or lower `--pu`",
                ],
            ),
            _ => entry(
                "declined",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the question about the price was not answered with yes",
                    "`--yes`, or name a cap",
                ],
            ),
        }
    }

    const fn of_hubs(self) -> Entry {
        use ExitStatus::{BadResult, NoMatch, NotDelivered, Unreachable};
        match self {
            Self::NoHubFound => entry(
                "no-hub-found",
                Unreachable,
                true,
                UNTOUCHED,
                [
                    "no hub announced itself to this machine",
                    "`gio-buyer doctor`; `bootstrap` in config.toml",
                ],
            ),
            Self::NoHubFits => entry(
                "no-hub-fits",
                NoMatch,
                false,
                UNTOUCHED,
                [
                    "every hub breaks a condition of the job; the error says which, hub by hub",
                    "`gio-buyer plan` says what would have to change",
                ],
            ),
            Self::NoHubTook => entry(
                "no-hub-took",
                NoMatch,
                true,
                UNTOUCHED,
                [
                    "hubs that fit were asked and none quoted or signed; the error says why, hub by hub",
                    "change what they refuse, or try later",
                ],
            ),
            Self::HubUnreachable => entry(
                "hub-unreachable",
                Unreachable,
                true,
                SAID,
                [
                    "the hub or the network does not answer; the error names the hop that failed",
                    "the same command again; the chain decides what becomes of the deal",
                ],
            ),
            Self::HubRefused => entry(
                "hub-refused",
                ExitStatus::Failure,
                false,
                SAID,
                ["the hub answered and refused", "its reason is in the error"],
            ),
            Self::ResultBad => entry(
                "result-bad",
                BadResult,
                false,
                "in escrow, not confirmed; a false bill that can be shown is refuted by itself",
                [
                    "what the hub delivered is not what it posted, or a unit run again gives another result",
                    "keep the output; `gio-buyer check JOB --all`",
                ],
            ),
            _ => entry(
                "result-missing",
                NotDelivered,
                true,
                SAID,
                [
                    "the result, or a unit of it, is not here",
                    "`gio-buyer why JOB`",
                ],
            ),
        }
    }

    const fn of_the_chain(self) -> Entry {
        use ExitStatus::{Failure, Funds, Unreachable, Usage};
        match self {
            Self::FundsGio => entry(
                "funds-gio",
                Funds,
                false,
                UNTOUCHED,
                [
                    "the account holds less GIO than the cap or deposit; the error says how much is missing",
                    "send it to the address in the hint, then the command in `next:`",
                ],
            ),
            Self::FundsGas => entry(
                "funds-gas",
                Funds,
                false,
                SAID,
                [
                    "the account has none or too little of the chain's own coin, which pays the gas",
                    "send some to the address in the hint",
                ],
            ),
            Self::RpcUnreachable => entry(
                "rpc-unreachable",
                Unreachable,
                true,
                SAID,
                [
                    "the RPC of the chain does not answer",
                    "`rpc_url` in config.toml; is the node up?",
                ],
            ),
            Self::WrongChain => entry(
                "wrong-chain",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the RPC serves another chain than the contracts are on",
                    "`rpc_url` and `contracts.chain_id` in config.toml",
                ],
            ),
            Self::ContractsWrong => entry(
                "contracts-wrong",
                Usage,
                false,
                UNTOUCHED,
                [
                    "there is no contract, or another one, at an address in config.toml",
                    "`contracts` in config.toml must be those of this market",
                ],
            ),
            Self::ContractRefused => entry(
                "contract-refused",
                Failure,
                false,
                SAID,
                [
                    "a contract reverted; section 3 lists its errors",
                    "the reason in the error",
                ],
            ),
            Self::TooEarly => entry(
                "too-early",
                Failure,
                true,
                SAID,
                [
                    "a deadline on chain has not passed yet; the error says how long it is",
                    "the same command after that",
                ],
            ),
            Self::TooLate => entry(
                "too-late",
                Failure,
                false,
                SAID,
                ["a deadline on chain has passed", "`gio-buyer status JOB`"],
            ),
            _ => entry(
                "wallet-state",
                Usage,
                false,
                UNTOUCHED,
                [
                    "the hub's wallet is not in the state this needs, or is somebody else's",
                    "`gio-hub status`; `gio-hub register` first",
                ],
            ),
        }
    }
}

/// The table of `docs/errors.md`.
#[must_use]
pub fn table() -> String {
    let mut text = String::from(
        "| code | exit | retry | escrow | why | what to do |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let Entry {
            name,
            exit,
            retryable,
            escrow,
            why,
            fix,
        } = code.entry();
        let retry = if retryable { "yes" } else { "no" };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| `{name}` | {} | {retry} | {escrow} | {why} | {fix} |",
            exit as u8
        );
    }
    text
}

/// The part of a document between `<!-- NAME -->` and `<!-- /NAME -->`, replaced; `None` if there is no such part.
#[must_use]
pub fn with_section(document: &str, name: &str, section: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}{section}{close}{after}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        let listed: BTreeSet<Code> = Code::ALL.into_iter().collect();
        assert_eq!(listed.len(), Code::ALL.len());
        assert_eq!(Code::of(ExitStatus::Usage), Code::Usage);
    }

    #[test]
    fn docs_errors_md_has_this_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
        let document = std::fs::read_to_string(&path).unwrap();
        let expected = with_section(&document, "codes", &table()).expect("the table has its place");
        if std::env::var_os("GIO_BLESS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            expected,
            "GIO_BLESS=1 cargo test -p gio-agent docs_errors renews docs/errors.md"
        );
    }
}
