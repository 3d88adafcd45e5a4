//! Why a contract said no: its custom errors as values. No caller compares texts.

mod government;

use alloy::primitives::Bytes;
use gio_protocol::{Address, B256, Cu, DealId, DealStage, Gio, U256, UnixSeconds};
use thiserror::Error;

use crate::info::WalletState;

pub use government::GovernmentRevert;

/// A custom error of our contracts, with the values that explain it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(
    missing_docs,
    reason = "variants and fields are the errors of contracts/src/interfaces, documented there; the texts say the rest"
)]
pub enum RevertReason {
    // Caller and wallet.
    #[error("only {owner} may do this, not {caller}")]
    NotOwner { caller: Address, owner: Address },
    #[error("the wallet is {}, this needs it {}", state.name(), required.name())]
    WalletStateMismatch {
        state: WalletState,
        required: WalletState,
    },
    #[error("the wallet's free balance is {free} GIO, this needs {needed} GIO")]
    FreeBalanceTooLow { free: Gio, needed: Gio },
    #[error("the amount is zero")]
    AmountZero,
    #[error("{miner} cannot be paid")]
    MinerInvalid { miner: Address },
    #[error("this is the implementation, not a wallet")]
    CallToImplementation,
    #[error("only the DAO {dao} may do this, not {caller}")]
    NotDao { caller: Address, dao: Address },
    #[error("payday is at {payday_at}, it is {time}")]
    PaydayTooEarly {
        payday_at: UnixSeconds,
        time: UnixSeconds,
    },
    #[error(
        "deals are open, with {escrow} GIO of buyers and {guarantees} GIO of guarantees in them"
    )]
    DealsOpen { escrow: Gio, guarantees: Gio },
    #[error("an accusation is undecided; payday waits for it, at most until {until}")]
    CaseUndecided { until: UnixSeconds },
    #[error("case {case} is no undecided accusation against this wallet")]
    CaseNotPending { case: U256 },
    #[error("a ban is possible from {bannable_at} on, it is {time}")]
    BanTooEarly {
        bannable_at: UnixSeconds,
        time: UnixSeconds,
    },
    #[error("there is nothing free to take")]
    NothingFree,

    // Payouts.
    #[error("a payout cannot have {count} miners")]
    PayoutCountOutOfRange { count: u32 },
    #[error("leaf {index} is not in the payout of epoch {epoch} as shown")]
    PayoutProofInvalid { epoch: u32, index: u32 },
    #[error("leaf {index} of epoch {epoch} was claimed before")]
    PayoutClaimedAlready { epoch: u32, index: u32 },
    #[error("the wallet is suspected: claims wait until that ends")]
    ClaimsFrozen,

    // Terms.
    #[error("the terms name the wallet {wallet}")]
    WalletMismatch { wallet: Address },
    #[error("the seed commitment {commitment} is not the hash of the buyer's nonce")]
    SeedCommitmentMismatch { commitment: B256 },
    #[error("a deal cannot have {unit_count} units")]
    UnitCountOutOfRange { unit_count: u32 },
    #[error("there is no verification mode {mode}")]
    ModeUnknown { mode: u8 },
    #[error("this verification mode has no parameters")]
    ModeParamsUnexpected { mode_params: B256 },
    #[error("the wallet does not know machine version {machine_version}")]
    MachineVersionUnknown { machine_version: u32 },
    #[error("a royalty of {per_mille} per mille is more than the payment")]
    RoyaltyTooHigh { per_mille: u16 },
    #[error("a royalty needs somebody to pay it to, other than the wallet itself")]
    RoyaltyRecipientInvalid { royalty_to: Address },
    #[error("a deal of this machine version has no court")]
    CourtUnexpected { court: Address },
    #[error("the deal would open until {open_by} and be due at {deliver_by}")]
    DeadlinesUnordered {
        open_by: UnixSeconds,
        deliver_by: UnixSeconds,
    },
    #[error("a window of {window} s is too long, the most is {max} s")]
    WindowTooLong { window: u64, max: u64 },
    #[error("a deal without money is none: the cap is zero")]
    CapZero,

    // Life of a deal.
    #[error("this is not the signature of the buyer {buyer}")]
    BuyerSignatureInvalid { buyer: Address, digest: B256 },
    #[error("this is not the signature of the hub {owner}")]
    HubSignatureInvalid { owner: Address, digest: B256 },
    #[error("deal {deal} is {}", stage.name())]
    DealStateMismatch { deal: DealId, stage: DealStage },
    #[error(
        "{arrived} GIO came instead of the cap of {cap} GIO: the token keeps something for itself"
    )]
    CapIncomplete { arrived: Gio, cap: Gio },
    #[error("the deal had to open until {open_by}, it is {time}")]
    OpenByPassed {
        open_by: UnixSeconds,
        time: UnixSeconds,
    },
    #[error("the result was due at {deliver_by}, it is {time}")]
    DeliverByPassed {
        deliver_by: UnixSeconds,
        time: UnixSeconds,
    },
    #[error("the hub may deliver until {deliver_by}, it is {time}")]
    DeliverByNotPassed {
        deliver_by: UnixSeconds,
        time: UnixSeconds,
    },
    #[error("the window runs until {window_end}, it is {time}")]
    WindowOpen {
        window_end: UnixSeconds,
        time: UnixSeconds,
    },
    #[error("the window ended at {window_end}, it is {time}")]
    WindowOver {
        window_end: UnixSeconds,
        time: UnixSeconds,
    },
    #[error("the posted result root is {posted}, not {given}")]
    ResultRootMismatch { posted: B256, given: B256 },
    #[error("a payment of {payment} GIO is more than the cap of {cap} GIO")]
    PaymentAboveCap { payment: Gio, cap: Gio },

    // Trees.
    #[error("an empty result tree cannot bill {cu_total}")]
    SumWithoutTree { cu_total: Cu },
    #[error("a path of {length} steps does not fit a tree of depth {depth}")]
    PathLengthInvalid { length: U256, depth: U256 },
    #[error("step {step} of the path is not below the step before it")]
    PathBroken { step: U256 },
    #[error("unit {unit} is not in the job as shown")]
    JobProofInvalid { unit: u32 },
    #[error("the claim of unit {unit} is not in the posted result as shown")]
    ResultProofInvalid { unit: u32 },
    #[error("what was shown is as it should be")]
    NothingRefuted,

    // Factory and whitelist.
    #[error("the factory's parameters are invalid")]
    ParametersInvalid,
    #[error("the whitelist belongs to the factory {factory} of another DAO")]
    WhitelistOfOtherFactory { factory: Address },
    #[error("this salt already made the wallet {wallet}")]
    WalletExists { wallet: Address },
    #[error("{caller} is neither the factory {factory} nor another the DAO admitted")]
    NotFactory { caller: Address, factory: Address },
    #[error("{wallet} is no wallet of this market")]
    WalletUnknown { wallet: Address },
    #[error("{wallet} is listed already")]
    WalletListedAlready { wallet: Address },
    #[error("only {owner} may change the record, not {caller}")]
    NotHubOwner { caller: Address, owner: Address },
    #[error("the hub of {wallet} has not registered yet")]
    HubNotRegistered { wallet: Address },
    #[error(
        "the record's {field} has {length} bytes; it must not be missing, and have at most {max}"
    )]
    RecordFieldLength {
        field: &'static str,
        length: U256,
        max: U256,
    },
    #[error("a whitelist needs a factory")]
    FactoryZero,
    #[error("{factory} is no factory for this whitelist and its DAO")]
    FactoryForeign { factory: Address },
    #[error("only the DAO {dao} admits factories, not {caller}")]
    NotWhitelistDao { caller: Address, dao: Address },

    // Token.
    #[error("{holder} holds {balance} GIO, this needs {needed} GIO")]
    BalanceTooLow {
        holder: Address,
        balance: Gio,
        needed: Gio,
    },
    #[error("{spender} may take {allowance} GIO, this needs {needed} GIO")]
    AllowanceTooLow {
        spender: Address,
        allowance: Gio,
        needed: Gio,
    },
    #[error("the permit expired at {deadline}")]
    PermitExpired { deadline: U256 },
    #[error("the permit was signed by {signer}, not by {owner}")]
    PermitSignerInvalid { signer: Address, owner: Address },
    #[error("only the minter {minter} mints, not {caller}")]
    NotMinter { caller: Address, minter: Address },
    #[error("a token needs a minter")]
    MinterZero,

    // The government, applications and miners' bonds.
    #[error(transparent)]
    Government(GovernmentRevert),

    // Everything else.
    /// An error of a library our contracts use, which no correct call meets.
    #[error("an error of a library: {0}")]
    Library(String),
    #[error("{0}")]
    Message(String),
    /// A failed assertion, an overflow or the like inside the contract.
    #[error("the contract panicked with code {0}")]
    Panic(U256),
    #[error("the contract gave no reason")]
    Unexplained,
    #[error("an error that is not in the contracts' interfaces: {0}")]
    Unknown(Bytes),
}
