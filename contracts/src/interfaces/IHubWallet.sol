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
import {HubRecord, Ledger, WalletConfig, WalletState} from "../types/Wallet.sol";

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

    /// @notice The posted bill was shown to be false: cap and guarantee went to the buyer.
    /// @param by Who showed it.
    event DealRefuted(
        DealId indexed dealId, address indexed buyer, address indexed by, uint128 refund, uint128 guarantee
    );

    /// @notice A payout: `lock` stays in the wallet until payday, `net` was added to what the miner may pull.
    /// @param allowance What the miner may pull now, in all.
    event PaymentApproved(address indexed miner, uint128 gross, uint128 lock, uint128 net, uint128 allowance);

    /// @notice The wallet saw that a miner pulled; `allowance` is what it may still pull.
    event PullSeen(address indexed miner, uint128 pulled, uint128 allowance);

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
    /// @notice A royalty needs somebody to pay it to.
    error RoyaltyRecipientZero();
    /// @notice Version 0 deals have no court (F3).
    error CourtUnexpected(address court);
    /// @notice A deal must open before it is due.
    error DeadlinesUnordered(uint64 openBy, uint64 deliverBy);
    /// @notice The window is too long.
    error WindowTooLong(uint64 window, uint64 max);

    /* ERRORS: life of a deal */

    /// @notice The buyer did not sign this.
    error BuyerSignatureInvalid(address buyer, bytes32 digest);
    /// @notice The wallet's owner did not sign this.
    error HubSignatureInvalid(address owner, bytes32 digest);
    /// @notice The deal is not in a state this needs.
    error DealStateMismatch(DealId dealId, DealState state);
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

    /// @notice Freezes the quota out of the free balance and writes the record into the whitelist: Created to Registered.
    /// @dev Only the owner. What arrives later does not change the stake (HW-06).
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
    /// @dev Anyone, after `deliverBy`.
    /// @param terms The deal.
    function refund(DealTerms calldata terms) external;

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

    /// @notice Shows that a node of the posted result tree does not add up: everything goes back to the buyer, and the
    /// guarantee.
    /// @dev Anyone, inside the window. A node does not add up if its children's sums are not its own, if a child with the
    /// zero hash has a sum, or if a child that covers no unit of the deal has one.
    /// @param terms The deal.
    /// @param path Children of the top node first, down to the bad node.
    function refuteSum(DealTerms calldata terms, SumStep[] calldata path) external;

    /// @notice Shows that the posted result bills a unit falsely: everything goes back to the buyer, and the guarantee.
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

    /// @notice When the stake was frozen; zero before.
    /// @return Unix seconds.
    function registeredAt() external view returns (uint64);

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

    /// @notice Who governs suspicion and ban, and receives the payday fee.
    /// @return The DAO.
    function dao() external view returns (address);

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
