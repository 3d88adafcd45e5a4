// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Claim,
    Deal,
    DealId,
    DealState,
    DealTerms,
    PermitSignature,
    SumNode,
    SumStep,
    UnitLeaf
} from "../types/Deal.sol";
import {HubRecord, Ledger, Payout, WalletConfig, WalletState} from "../types/Wallet.sol";

/// @title IHubWallet
/// @notice A hub's wallet: its stake, the escrow of its deals, and what it pays its miners.
///
/// @dev Assumptions, all kept by the factory that makes the wallet:
/// - The token is `GioToken`: it takes no fee, calls no hook, never fails a transfer that balance and allowance cover,
///   and its supply stays far below 2^128 base units.
/// - Amounts are base units (8 decimals), times Unix seconds of block time (F5).
///
/// Deals are keyed by the EIP-712 digest of their terms. A wallet stores none of the terms: callers pass them again.
/// Whoever is named in a rule below, anyone may send the transaction if "anyone" stands there.
interface IHubWallet {
    /* EVENTS */

    /// @notice The stake is frozen.
    event WalletRegistered(address indexed owner, uint128 stake, uint64 registeredAt);

    /// @notice A deal's cap is in escrow and its guarantee reserved. The event carries the whole terms.
    event DealOpened(DealId indexed dealId, address indexed buyer, DealTerms terms);

    /// @notice A result root is posted.
    /// @param claimsRoot Content root of the claims file, which the hub serves to anyone (R18).
    /// @param windowEnd First second at which anyone may settle.
    event ResultPosted(
        DealId indexed dealId,
        bytes32 resultRoot,
        bytes32 treeHash,
        uint64 cuTotal,
        bytes32 claimsRoot,
        uint64 windowEnd
    );

    /// @notice A deal is paid: `payment - royalty` joined the wallet's free balance, `payment + refund` is the cap.
    /// @param confirmed True if the buyer ended the window, false if it passed.
    event DealSettled(
        DealId indexed dealId, address indexed buyer, uint128 payment, uint128 royalty, uint128 refund, bool confirmed
    );

    /// @notice Nothing was delivered: the cap went back to the buyer.
    event DealRefunded(DealId indexed dealId, address indexed buyer, uint128 refund);

    /// @notice Both sides ended the deal: `payment - royalty` joined the free balance, `payment + refund` is the cap.
    event DealCancelled(DealId indexed dealId, address indexed buyer, uint128 payment, uint128 royalty, uint128 refund);

    /// @notice The posted bill was shown to be false: the cap went back to the buyer, and the hub lost its guarantee.
    /// @param by Who showed it.
    /// @param compensation What of the guarantee went to the buyer; the rest went to the treasury.
    event DealRefuted(
        DealId indexed dealId,
        address indexed buyer,
        address indexed by,
        uint128 refund,
        uint128 guarantee,
        uint128 compensation
    );

    /// @notice A payout: `lock` stays in the wallet until payday, `net` was added to what the miner may pull.
    /// @param allowance What the miner may pull now, in all.
    event PaymentApproved(address indexed miner, uint128 gross, uint128 lock, uint128 net, uint128 allowance);

    /// @notice The wallet saw that a miner pulled; `allowance` is what it may still pull.
    event PullSeen(address indexed miner, uint128 pulled, uint128 allowance);

    /// @notice Payday: `fee` went to the treasury, everything else that was held back is free, the wallet is Idle.
    event PaydayHeld(uint128 fee, uint128 locked, uint128 stake);

    /// @notice The owner took the free balance.
    event Withdrawn(address indexed owner, uint256 amount);

    /// @notice An epoch's payout: `lock` stays in the wallet until payday, `net` is reserved for the epoch's miners.
    /// @param top The tree's top node; with the count it makes the epoch's root.
    /// @param leavesRoot Content root of the leaf file, which the hub serves to anyone.
    event PayoutPosted(
        uint32 indexed epoch, uint32 count, uint128 gross, uint128 lock, uint64 net, bytes32 top, bytes32 leavesRoot
    );

    /// @notice A miner got its part of an epoch's payout.
    event PayoutClaimed(uint32 indexed epoch, address indexed miner, uint32 index, uint64 net);

    /// @notice The DAO froze the hub's own money: `amount`, all the wallet held, lies in the freezer.
    event WalletSuspected(uint256 indexed caseId, address freezer, uint256 amount, uint64 bannableAt);

    /// @notice The DAO ended the suspicion: everything is back and nothing is held back, the wallet is Idle.
    event WalletRehabilitated(uint256 amount);

    /// @notice The DAO punished the wallet: what is neither escrow, guarantee nor owed goes to the treasury.
    event WalletBanned(uint256 amount);

    /// @notice Money of the hub's went to the treasury.
    event Expropriated(uint256 amount);

    /* ERRORS: caller and wallet */

    /// @notice The implementation serves its clones only (R11).
    error CallToImplementation();
    /// @notice Only the wallet's owner.
    error NotOwner(address caller, address owner);
    /// @notice The wallet is not in the state this needs.
    error WalletStateMismatch(WalletState state, WalletState required);
    /// @notice The free balance (R6) does not cover it.
    error FreeBalanceTooLow(uint256 free, uint256 needed);
    /// @notice A payout of nothing.
    error AmountZero();
    /// @notice Nobody could pull from this address.
    error MinerInvalid(address miner);

    /// @notice Only the DAO.
    error NotDao(address caller, address dao);
    /// @notice The payout period still runs.
    error PaydayTooEarly(uint64 paydayAt, uint64 time);
    /// @notice Deals are open; the hub may give their money back.
    error DealsOpen(uint128 escrow, uint128 guarantees);
    /// @notice An accusation is undecided; payday waits for it, at most until `until`.
    error CaseUndecided(uint64 until);
    /// @notice No undecided accusation against this wallet has this number.
    error CaseNotPending(uint256 caseId);
    /// @notice The suspicion period still runs.
    error BanTooEarly(uint64 bannableAt, uint64 time);
    /// @notice There is nothing to take.
    error NothingFree();

    /* ERRORS: payouts */

    /// @notice A payout has 1 to 1,048,576 miners.
    error PayoutCountOutOfRange(uint32 count);
    /// @notice The leaf is not in the epoch's payout as shown.
    error PayoutProofInvalid(uint32 epoch, uint32 index);
    /// @notice This leaf was claimed before.
    error PayoutClaimedAlready(uint32 epoch, uint32 index);
    /// @notice Claims wait for the end of the suspicion; nothing is lost.
    error ClaimsFrozen();

    /* ERRORS: terms, in the order of docs/protocol.md section 4.1 */

    /// @notice The terms name another wallet.
    error WalletMismatch(address wallet);
    /// @notice The seed commitment is not the hash of the buyer's nonce (R22).
    error SeedCommitmentMismatch(bytes32 commitment);
    /// @notice A deal has 1 to 1,048,576 units.
    error UnitCountOutOfRange(uint32 unitCount);
    /// @notice Modes are 0 to 3.
    error ModeUnknown(uint8 mode);
    /// @notice Mode 0 has no parameters.
    error ModeParamsUnexpected(bytes32 modeParams);
    /// @notice This wallet knows machine version 0 only (F3).
    error MachineVersionUnknown(uint32 machineVersion);
    /// @notice A royalty is at most 1000 per mille.
    error RoyaltyTooHigh(uint16 royaltyPerMille);
    /// @notice A royalty needs somebody to pay it to, and that is not the wallet itself.
    error RoyaltyRecipientInvalid(address royaltyTo);
    /// @notice Version 0 deals have no court (F3).
    error CourtUnexpected(address court);
    /// @notice A deal must open before it is due.
    error DeadlinesUnordered(uint64 openBy, uint64 deliverBy);
    /// @notice The window is too long.
    error WindowTooLong(uint64 window, uint64 max);
    /// @notice A deal has money in it.
    error CapZero();

    /* ERRORS: life of a deal */

    /// @notice The buyer did not sign this.
    error BuyerSignatureInvalid(address buyer, bytes32 digest);
    /// @notice The wallet's owner did not sign this.
    error HubSignatureInvalid(address owner, bytes32 digest);
    /// @notice The deal is not in a state this needs.
    error DealStateMismatch(DealId dealId, DealState state);
    /// @notice The token moved another sum than the cap.
    error CapIncomplete(uint256 arrived, uint256 cap);
    /// @notice Too late to open.
    error OpenByPassed(uint64 openBy, uint64 time);
    /// @notice Too late to post a result.
    error DeliverByPassed(uint64 deliverBy, uint64 time);
    /// @notice The hub may still deliver.
    error DeliverByNotPassed(uint64 deliverBy, uint64 time);
    /// @notice The window still runs.
    error WindowOpen(uint64 windowEnd, uint64 time);
    /// @notice The window is over.
    error WindowOver(uint64 windowEnd, uint64 time);
    /// @notice Another root is posted.
    error ResultRootMismatch(bytes32 posted, bytes32 given);
    /// @notice A cancellation pays at most the cap.
    error PaymentAboveCap(uint128 payment, uint128 cap);

    /* ERRORS: trees */

    /// @notice The zero hash is only valid with the sum zero.
    error SumWithoutTree(uint64 cuTotal);
    /// @notice A walk shows at least one pair and ends above the leaves; `depth` is that of the tree.
    error PathLengthInvalid(uint256 length, uint256 depth);
    /// @notice The pair shown at `step` is not below the node it claims to be.
    error PathBroken(uint256 step);
    /// @notice The unit leaf is not in the job.
    error JobProofInvalid(uint32 unit);
    /// @notice The claim is not in the posted result.
    error ResultProofInvalid(uint32 unit);
    /// @notice What was shown is as it should be.
    error NothingRefuted();

    /* FUNCTIONS: the hub */

    /// @notice Freezes the quota out of the free balance and writes the record into the whitelist: Created or Idle to
    /// Registered.
    /// @dev Only the owner. What arrives later does not change the stake (HW-06). Again after payday: a new period.
    /// @param record What the hub says about itself.
    function register(HubRecord calldata record) external;

    /// @notice Pays a miner: locks a part of `gross` until payday and lets the miner pull the rest.
    /// @dev Only the owner, only Registered. Repeated payouts add up. The miner pulls with the token's `transferFrom`.
    /// @param miner Who is paid.
    /// @param gross Base units, lock included.
    function transfer(address miner, uint128 gross) external;

    /// @notice Pays a miner at least `net`: `transfer` of `grossOf(net)` (X-06).
    /// @dev Rounding is in the miner's favour: it may pull one base unit more than `net`.
    /// @param miner Who is paid.
    /// @param net Base units the miner must be able to pull.
    function transferNet(address miner, uint128 net) external;

    /// @notice Notices what miners pulled, which raises the free balance: a token cannot tell its holder.
    /// @dev Anyone. Until then the free balance is too low, never too high.
    /// @param miners Whom to look at.
    function reconcile(address[] calldata miners) external;

    /// @notice Reserves a sum for an epoch's miners, who claim it with a proof (R9): the root is of a Merkle-sum tree, so
    /// no two claims can take more than the whole. The gross is `grossOf(net)`; what the net leaves of it is locked.
    /// @dev Only the owner, only Registered. Epochs count from zero; nothing replaces one.
    /// @param top The tree's top node: 24 bytes of hash and the sum of the leaves, which is the net.
    /// @param count How many leaves it has.
    /// @param leavesRoot Content root of the leaf file.
    /// @return epoch Its number.
    function postPayout(bytes32 top, uint32 count, bytes32 leavesRoot) external returns (uint32 epoch);

    /// @notice Pays a miner its leaf of an epoch's payout.
    /// @dev Anyone; the money goes to the miner. Not while Suspected; without time limit otherwise, also after a ban.
    /// @param epoch The payout.
    /// @param count How many leaves its tree has.
    /// @param index Which of them this is.
    /// @param miner Who is paid.
    /// @param net Base units.
    /// @param proof Siblings from the leaf upwards, nodes like `top`.
    function claimPayout(uint32 epoch, uint32 count, uint32 index, address miner, uint64 net, bytes32[] calldata proof)
        external;

    /// @notice Ends the period: a fee of the locked sum goes to the treasury, the rest and the stake become free,
    /// Registered to Idle.
    /// @dev Only the owner, from `registeredAt` + payout period on, with no deal open: `giveBack` ends any. An undecided
    /// accusation delays it, at most by one more payout period (R8).
    function payday() external;

    /// @notice Sends the free balance to the owner.
    /// @dev Only the owner, only Idle. What miners may pull or claim, and what is in deals, stays (HW-16).
    function withdraw() external;

    /* FUNCTIONS: the DAO */

    /// @notice Freezes the hub's own money: the whole balance moves into the wallet's freezer, Registered to Suspected.
    /// @dev Only the DAO, and only for an undecided accusation against this wallet. Buyers are served from the freezer.
    /// @param caseId The accusation that was voted through.
    function suspect(uint256 caseId) external;

    /// @notice Ends a suspicion: everything comes back and nothing is held back, Suspected to Idle.
    /// @dev Only the DAO, at any time. Allowances given before count again.
    function rehab() external;

    /// @notice Takes the hub's own money for the treasury, Suspected to Punished, for ever.
    /// @dev Only the DAO, from the end of the suspicion period on. Escrow, the guarantees of open deals and what is owed
    /// to miners stay; it loops over nobody.
    function ban() external;

    /// @notice Sends what became free in a punished wallet to the treasury.
    /// @dev Anyone, only Punished. The end of a deal does the same.
    function expropriate() external;

    /* FUNCTIONS: deals, by stage of life */

    /// @notice Opens a deal: the cap moves from the buyer into escrow, the guarantee is taken from the free balance.
    /// @dev Anyone with both signatures, until `openBy`, only Registered. Spends only the buyer's money, and a digest
    /// opens once, ever. A failing permit is tolerated if the allowance suffices (R5).
    /// @dev Warning: a contract buyer (EIP-1271) approves the wallet beforehand; so does an account with delegated code.
    /// @param terms What both sides signed.
    /// @param buyerSignature Of the deal id, by `terms.buyer`.
    /// @param hubSignature Of the deal id, by the wallet's owner.
    /// @param permit The buyer's permit for this wallet; skipped when its deadline is zero.
    /// @return dealId The digest.
    function open(
        DealTerms calldata terms,
        bytes calldata buyerSignature,
        bytes calldata hubSignature,
        PermitSignature calldata permit
    ) external returns (DealId dealId);

    /// @notice Posts the result of an open deal and starts its window. A root is posted once.
    /// @dev Only the owner, until `deliverBy`, only Registered.
    /// @param terms The deal.
    /// @param treeHash Hash of the result tree's top node; zero if no unit was delivered.
    /// @param cuTotal Sum of the result tree's top node.
    /// @param claimsRoot Content root of the claims file.
    function postResult(DealTerms calldata terms, bytes32 treeHash, uint64 cuTotal, bytes32 claimsRoot) external;

    /// @notice Settles a posted deal before its window ends, because the buyer says so.
    /// @dev The buyer itself (the signature is not looked at), or anyone with its `Confirmation`.
    /// @param terms The deal.
    /// @param resultRoot What the buyer accepts; must be what was posted.
    /// @param signature The buyer's `Confirmation`.
    function confirm(DealTerms calldata terms, bytes32 resultRoot, bytes calldata signature) external;

    /// @notice Settles a posted deal whose window is over: min(cap, CU x price / 10^9) less the royalty joins the free
    /// balance, the rest of the cap goes back to the buyer, the guarantee is released (R2).
    /// @dev Anyone.
    /// @param terms The deal.
    function settle(DealTerms calldata terms) external;

    /// @notice Gives the cap of an open deal back when the hub did not deliver in time.
    /// @dev Anyone, after `deliverBy`; in a banned wallet, which can deliver nothing any more, at once.
    /// @param terms The deal.
    function refund(DealTerms calldata terms) external;

    /// @notice Ends an undisputed deal by giving the whole cap back, so that payday does not have to wait for it (R8).
    /// @dev Only the owner, only Registered.
    /// @param terms The deal.
    function giveBack(DealTerms calldata terms) external;

    /// @notice Ends an open or posted deal as both sides agreed.
    /// @dev Anyone with both signatures of the `Cancellation`. The royalty is taken from `payment` as in a settlement.
    /// @param terms The deal.
    /// @param payment What the buyer pays, at most the cap.
    /// @param buyerSignature By `terms.buyer`.
    /// @param hubSignature By the wallet's owner.
    function cancel(
        DealTerms calldata terms,
        uint128 payment,
        bytes calldata buyerSignature,
        bytes calldata hubSignature
    ) external;

    /// @notice Shows that a node of the posted result tree does not add up: the cap goes back to the buyer, and the hub
    /// loses its guarantee, of which the buyer gets what a payout of that gross would pay and the treasury the rest.
    /// @dev Anyone, inside the window. A node does not add up if its children's sums are not its own, if a child with the
    /// zero hash has a sum, or if a child that covers no unit of the deal has one.
    /// @param terms The deal.
    /// @param path Children of the top node first, down to the bad node.
    function refuteSum(DealTerms calldata terms, SumStep[] calldata path) external;

    /// @notice Shows that the posted result bills a unit falsely: the same happens.
    /// @dev Anyone, inside the window. A bill is false if it exceeds the unit's CU limit, if it is not the CU of its own
    /// claim, or if the claim is of another deal or unit.
    /// @param terms The deal.
    /// @param unit The unit as the job commits it.
    /// @param jobProof Siblings of the unit's leaf in the job tree, from the leaf upwards.
    /// @param claim The claim the hub put at the unit's position.
    /// @param billed The sum the result tree shows for that leaf.
    /// @param resultProof Siblings of the claim's leaf in the result tree, from the leaf upwards.
    function refuteBill(
        DealTerms calldata terms,
        UnitLeaf calldata unit,
        bytes32[] calldata jobProof,
        Claim calldata claim,
        uint64 billed,
        SumNode[] calldata resultProof
    ) external;

    /* VIEWS */

    /// @notice Where the wallet stands.
    /// @return The state.
    function state() external view returns (WalletState);

    /// @notice When the stake was frozen last; zero before.
    /// @return Unix seconds.
    function registeredAt() external view returns (uint64);

    /// @notice When the DAO suspected the wallet last; zero before.
    /// @return Unix seconds.
    function suspectedAt() external view returns (uint64);

    /// @notice Where the balance lies while Suspected; zero before the first suspicion.
    /// @return The contract.
    function freezer() external view returns (address);

    /// @notice What in the wallet is the hub's, free or held back: neither buyers' escrow nor owed to miners.
    /// @dev Too low by what miners have pulled and the wallet has not noticed yet: see `reconcile`.
    /// @return Base units.
    function ownBalance() external view returns (uint256);

    /// @notice How many payouts were posted, which is also the next epoch.
    /// @return The count.
    function payoutCount() external view returns (uint32);

    /// @notice What of all payouts is not claimed.
    /// @return Base units.
    function payoutsUnclaimed() external view returns (uint64);

    /// @notice One epoch's payout.
    /// @param epoch Its number.
    /// @return The payout; empty if there is none.
    function payout(uint32 epoch) external view returns (Payout memory);

    /// @notice Whether a leaf was claimed.
    /// @param epoch The payout.
    /// @param index The leaf.
    /// @return True if so.
    function isClaimed(uint32 epoch, uint32 index) external view returns (bool);

    /// @notice The sums kept apart from the free balance.
    /// @return The ledger.
    function ledger() external view returns (Ledger memory);

    /// @notice What the hub may use: balance less everything in the ledger, zero if that is negative (R6).
    /// @return Base units.
    function freeBalance() external view returns (uint256);

    /// @notice What a miner may still pull, as far as the wallet has seen.
    /// @param miner A miner.
    /// @return Base units.
    function approvedTo(address miner) external view returns (uint128);

    /// @notice The stored part of a deal.
    /// @param dealId Its digest.
    /// @return The deal.
    function deal(DealId dealId) external view returns (Deal memory);

    /// @notice The id of the deal these terms make in this wallet on this chain.
    /// @param terms The terms.
    /// @return The digest.
    function dealIdOf(DealTerms calldata terms) external view returns (DealId);

    /// @notice The lock of a payout, rounded down.
    /// @param gross Base units.
    /// @return Base units.
    function lockOf(uint128 gross) external view returns (uint128);

    /// @notice The gross whose payout leaves at least `net`: net x 100 / (100 - lock), rounded up.
    /// @param net Base units.
    /// @return Base units.
    function grossOf(uint128 net) external view returns (uint128);

    /// @notice The whole configuration, fixed in the clone's code.
    /// @return The configuration.
    function config() external view returns (WalletConfig memory);

    /// @notice Whose wallet this is.
    /// @return The hub.
    function owner() external view returns (address);

    /// @notice Who made it.
    /// @return The factory.
    function factory() external view returns (address);

    /// @notice Who governs suspicion and ban.
    /// @return The DAO's timelock.
    function dao() external view returns (address);

    /// @notice Who receives the payday fee and expropriated money.
    /// @return The treasury.
    function treasury() external view returns (address);

    /// @notice Who knows accusations; zero: a market without a court.
    /// @return The cases.
    function cases() external view returns (address);

    /// @notice What it holds.
    /// @return The token.
    function token() external view returns (address);

    /// @notice Where it is listed.
    /// @return The whitelist.
    function whitelist() external view returns (address);

    /// @notice The stake.
    /// @return Base units.
    function freezeQuota() external view returns (uint128);

    /// @notice The part of a payout that is locked.
    /// @return Per cent of the gross.
    function lockPercent() external view returns (uint8);

    /// @notice The fee at payday.
    /// @return Per mille of the locked sum.
    function daoFeePerMille() external view returns (uint16);

    /// @notice From registration to payday.
    /// @return Seconds.
    function payoutPeriod() external view returns (uint32);

    /// @notice From suspicion to the first possible ban.
    /// @return Seconds.
    function suspicionPeriod() external view returns (uint32);
}
