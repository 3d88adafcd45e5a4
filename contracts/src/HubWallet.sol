// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {ICaseRegister} from "./interfaces/IGovernment.sol";
import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {IWhitelist} from "./interfaces/IWhitelist.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {Ledgers} from "./libraries/Ledgers.sol";
import {Marks} from "./libraries/Marks.sol";
import {PayoutTree} from "./libraries/PayoutTree.sol";
import {ResultTree} from "./libraries/ResultTree.sol";
import {Terms} from "./libraries/Terms.sol";
import {TypedData} from "./libraries/TypedData.sol";
import {
    Claim,
    Deal,
    DealId,
    DealState,
    DealTerms,
    PermitSignature,
    PostedBill,
    SumNode,
    SumStep,
    UnitLeaf
} from "./types/Deal.sol";
import {HubRecord, Ledger, Payout, WalletConfig, WalletState} from "./types/Wallet.sol";
import {WalletCore} from "./WalletCore.sol";

/// @title HubWallet
/// @notice See {IHubWallet}.
/// @dev A clone's configuration is its immutable arguments; there is no initialiser. Every external function that
/// changes state begins with `_config()`, which is what makes the implementation itself reject the call (R11).
/// Every function is checks, effects, event, interactions; the only contract ever called with effects still to come is
/// the token, for views, and a signer's `isValidSignature`, which cannot change state. So no function needs a guard
/// against being entered again.
contract HubWallet is WalletCore {
    using Ledgers for Ledger;
    using Marks for mapping(uint256 word => uint256);
    using SafeERC20 for IERC20;
    using TypedData for DealTerms;

    /* THE HUB */

    /// @inheritdoc IHubWallet
    function register(HubRecord calldata record) external {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        if (state != WalletState.Idle) _checkState(WalletState.Created);
        uint128 stake = cfg.parameters.freezeQuota;
        _checkFree(cfg, stake);

        state = WalletState.Registered;
        registeredAt = uint64(block.timestamp);
        _ledger.freeze(stake);
        emit WalletRegistered(cfg.owner, stake, uint64(block.timestamp));
        IWhitelist(cfg.parameters.whitelist).register(record);
    }

    /// @inheritdoc IHubWallet
    function transfer(address miner, uint128 gross) external {
        _payOut(_config(), miner, gross);
    }

    /// @inheritdoc IHubWallet
    function transferNet(address miner, uint128 net) external {
        WalletConfig memory cfg = _config();
        _payOut(cfg, miner, Amounts.grossUp(net, cfg.parameters.lockPercent));
    }

    /// @inheritdoc IHubWallet
    function reconcile(address[] calldata miners) external {
        IERC20 token_ = IERC20(_config().parameters.token);
        for (uint256 i = 0; i < miners.length; ++i) {
            _notePulls(token_, miners[i]);
        }
    }

    /// @inheritdoc IHubWallet
    function postPayout(bytes32 top, uint32 count, bytes32 leavesRoot) external returns (uint32 epoch) {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        _checkState(WalletState.Registered);
        uint64 net = PayoutTree.sumOf(top);
        if (net == 0) revert AmountZero();
        if (count == 0 || count > PayoutTree.COUNT_MAX) revert PayoutCountOutOfRange(count);
        uint128 gross = Amounts.grossUp(net, cfg.parameters.lockPercent);
        _checkFree(cfg, gross);

        epoch = payoutCount++;
        _payouts[epoch] = Payout({root: PayoutTree.rootOf(count, top), reserve: net});
        payoutsUnclaimed += net;
        _ledger.lock(gross - net);
        _claimed[epoch].prepare(count);
        emit PayoutPosted(epoch, count, gross, gross - net, net, top, leavesRoot);
    }

    /// @inheritdoc IHubWallet
    function claimPayout(uint32 epoch, uint32 count, uint32 index, address miner, uint64 net, bytes32[] calldata proof)
        external
    {
        IERC20 token_ = _token();
        if (state == WalletState.Suspected) revert ClaimsFrozen();
        Payout memory payout_ = _payouts[epoch];
        // The root commits to the count, so a caller cannot choose another one.
        if (!PayoutTree.contains(payout_.root, count, index, miner, net, proof)) {
            revert PayoutProofInvalid(epoch, index);
        }
        if (!_claimed[epoch].take(index)) revert PayoutClaimedAlready(epoch, index);

        // INVARIANT: the sums on a path add up to the total that was reserved, so no claim takes another's money.
        _payouts[epoch] = Payout({root: payout_.root, reserve: payout_.reserve - net});
        payoutsUnclaimed -= net;
        emit PayoutClaimed(epoch, miner, index, net);
        token_.safeTransfer(miner, net);
    }

    /// @inheritdoc IHubWallet
    function payday() external {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        _checkState(WalletState.Registered);
        _checkPayday(cfg);

        Ledger memory before = _ledger;
        uint128 fee = Amounts.feeDown(before.locked, cfg.parameters.daoFeePerMille);
        state = WalletState.Idle;
        _ledger.unfreeze();
        emit PaydayHeld(fee, before.locked, before.stake);
        _send(cfg, cfg.parameters.treasury, fee);
    }

    /// @inheritdoc IHubWallet
    function withdraw() external {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        _checkState(WalletState.Idle);
        uint256 amount = _free(cfg);
        if (amount == 0) revert NothingFree();
        emit Withdrawn(cfg.owner, amount);
        _send(cfg, cfg.owner, amount);
    }

    /* THE DAO */

    /// @inheritdoc IHubWallet
    function suspect(uint256 caseId) external {
        WalletConfig memory cfg = _config();
        _checkDao(cfg);
        _checkState(WalletState.Registered);
        address cases_ = cfg.parameters.cases;
        if (cases_ != address(0) && !ICaseRegister(cases_).isPending(caseId, address(this))) {
            revert CaseNotPending(caseId);
        }

        state = WalletState.Suspected;
        suspectedAt = uint64(block.timestamp);
        if (freezer == address(0)) freezer = Clones.cloneWithImmutableArgs(FREEZER, abi.encode(address(this)));
        IERC20 token_ = IERC20(cfg.parameters.token);
        uint256 amount = token_.balanceOf(address(this));
        emit WalletSuspected(caseId, freezer, amount, _bannableAt(cfg));
        token_.safeTransfer(freezer, amount);
    }

    /// @inheritdoc IHubWallet
    function rehab() external {
        WalletConfig memory cfg = _config();
        _checkDao(cfg);
        _checkState(WalletState.Suspected);
        uint256 amount = _thaw(cfg, WalletState.Idle);
        emit WalletRehabilitated(amount);
    }

    /// @inheritdoc IHubWallet
    function ban() external {
        WalletConfig memory cfg = _config();
        _checkDao(cfg);
        _checkState(WalletState.Suspected);
        uint64 bannableAt = _bannableAt(cfg);
        if (block.timestamp < bannableAt) revert BanTooEarly(bannableAt, uint64(block.timestamp));
        uint256 amount = _thaw(cfg, WalletState.Punished);
        emit WalletBanned(amount);
        _expropriateFree(cfg);
    }

    /// @inheritdoc IHubWallet
    function expropriate() external {
        WalletConfig memory cfg = _config();
        _checkState(WalletState.Punished);
        if (_free(cfg) == 0) revert NothingFree();
        _expropriateFree(cfg);
    }

    /* DEALS: OPENING */

    /// @inheritdoc IHubWallet
    function open(
        DealTerms calldata terms,
        bytes calldata buyerSignature,
        bytes calldata hubSignature,
        PermitSignature calldata permit
    ) external returns (DealId dealId) {
        WalletConfig memory cfg = _config();
        _checkState(WalletState.Registered);
        Terms.check(terms);
        if (block.timestamp > terms.openBy) revert OpenByPassed(terms.openBy, uint64(block.timestamp));
        dealId = dealIdOf(terms);
        Deal storage deal_ = _deals[dealId];
        // INVARIANT: a digest opens once, ever; no path leads back to None.
        if (deal_.state != DealState.None) revert DealStateMismatch(dealId, deal_.state);
        _checkSignatures(cfg, terms.buyer, DealId.unwrap(dealId), buyerSignature, hubSignature);
        // Before the cap joins the ledger and before it arrives: the guarantee is the hub's own money.
        _checkFree(cfg, terms.guarantee);

        deal_.state = DealState.Open;
        _ledger.reserve(terms);
        emit DealOpened(dealId, terms.buyer, terms);
        _permit(cfg, terms.buyer, permit);
        _collect(cfg, terms);
    }

    /* DEALS: RESULT */

    /// @inheritdoc IHubWallet
    function postResult(DealTerms calldata terms, bytes32 treeHash, uint64 cuTotal, bytes32 claimsRoot) external {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        _checkState(WalletState.Registered);
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Open);
        uint64 time = uint64(block.timestamp);
        if (time > terms.deliverBy) revert DeliverByPassed(terms.deliverBy, time);
        if (treeHash == 0 && cuTotal != 0) revert SumWithoutTree(cuTotal);

        bytes32 resultRoot = ResultTree.rootOf(terms.unitCount, treeHash, cuTotal);
        uint64 windowEnd = time + terms.window;
        deal_.state = DealState.Posted;
        deal_.windowEnd = windowEnd;
        deal_.cuTotal = cuTotal;
        deal_.resultRoot = resultRoot;
        emit ResultPosted(dealId, resultRoot, treeHash, cuTotal, claimsRoot, windowEnd);
    }

    /* DEALS: ENDS */

    /// @inheritdoc IHubWallet
    function confirm(DealTerms calldata terms, bytes32 resultRoot, bytes calldata signature) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Posted);
        if (resultRoot != deal_.resultRoot) revert ResultRootMismatch(deal_.resultRoot, resultRoot);
        if (msg.sender != terms.buyer) {
            bytes32 digest = _hashTypedDataV4(TypedData.confirmation(dealId, resultRoot));
            _checkBuyerSignature(terms.buyer, digest, signature);
        }
        _settle(cfg, terms, dealId, deal_, true);
    }

    /// @inheritdoc IHubWallet
    function settle(DealTerms calldata terms) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Posted);
        if (block.timestamp < deal_.windowEnd) revert WindowOpen(deal_.windowEnd, uint64(block.timestamp));
        _settle(cfg, terms, dealId, deal_, false);
    }

    /// @inheritdoc IHubWallet
    function refund(DealTerms calldata terms) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealIn(terms, DealState.Open);
        // In a banned wallet nobody can deliver any more.
        if (block.timestamp <= terms.deliverBy && state != WalletState.Punished) {
            revert DeliverByNotPassed(terms.deliverBy, uint64(block.timestamp));
        }
        _refund(cfg, terms, dealId, deal_);
    }

    /// @inheritdoc IHubWallet
    function giveBack(DealTerms calldata terms) external {
        WalletConfig memory cfg = _config();
        _checkOwner(cfg);
        _checkState(WalletState.Registered);
        (DealId dealId, Deal storage deal_) = _dealUnended(terms);
        _refund(cfg, terms, dealId, deal_);
    }

    /// @inheritdoc IHubWallet
    function cancel(
        DealTerms calldata terms,
        uint128 payment,
        bytes calldata buyerSignature,
        bytes calldata hubSignature
    ) external {
        WalletConfig memory cfg = _config();
        (DealId dealId,) = _dealUnended(terms);
        if (payment > terms.cap) revert PaymentAboveCap(payment, terms.cap);
        bytes32 digest = _hashTypedDataV4(TypedData.cancellation(dealId, payment));
        _checkSignatures(cfg, terms.buyer, digest, buyerSignature, hubSignature);

        _cancel(cfg, terms, dealId, payment);
    }

    /* DEALS: FALSE BILLS */

    /// @inheritdoc IHubWallet
    function refuteSum(DealTerms calldata terms, SumStep[] calldata path) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealInWindow(terms);
        BILLS.requireFalseSum(_bill(terms, dealId, deal_), path);
        _refute(cfg, terms, dealId, deal_);
    }

    /// @inheritdoc IHubWallet
    function refuteBill(
        DealTerms calldata terms,
        UnitLeaf calldata unit,
        bytes32[] calldata jobProof,
        Claim calldata claim,
        uint64 billed,
        SumNode[] calldata resultProof
    ) external {
        WalletConfig memory cfg = _config();
        (DealId dealId, Deal storage deal_) = _dealInWindow(terms);
        BILLS.requireFalseBill(_bill(terms, dealId, deal_), unit, jobProof, claim, billed, resultProof);
        _refute(cfg, terms, dealId, deal_);
    }

    /* PRIVATE: STEPS OF THE ABOVE */

    function _payOut(WalletConfig memory cfg, address miner, uint128 gross) private {
        _checkOwner(cfg);
        _checkState(WalletState.Registered);
        if (gross == 0) revert AmountZero();
        // The zero address cannot hold an allowance; the wallet itself could pull but not spend; the treasury's
        // allowance is for expropriation.
        if (miner == address(0) || miner == address(this) || miner == cfg.parameters.treasury) {
            revert MinerInvalid(miner);
        }
        IERC20 token_ = IERC20(cfg.parameters.token);
        _notePulls(token_, miner);
        _checkFree(cfg, gross);

        uint128 lock = Amounts.lockDown(gross, cfg.parameters.lockPercent);
        uint128 net = gross - lock;
        // What the miner has not pulled yet stays its own: payouts add up.
        uint128 allowance = approvedTo[miner] + net;
        approvedTo[miner] = allowance;
        _ledger.payOut(lock, net);
        emit PaymentApproved(miner, gross, lock, net, allowance);
        token_.forceApprove(miner, allowance);
    }

    /// @dev An allowance only ever shrinks by the miner's own pulls: nobody but this wallet can set it.
    function _notePulls(IERC20 token_, address miner) private {
        uint128 seen = approvedTo[miner];
        if (seen == 0) return;
        uint256 left = token_.allowance(address(this), miner);
        if (left >= seen) return;
        // forge-lint: disable-next-line(unsafe-typecast)
        uint128 allowance = uint128(left); // below `seen`
        approvedTo[miner] = allowance;
        _ledger.notePull(seen - allowance);
        emit PullSeen(miner, seen - allowance, allowance);
    }

    /// @dev A permit somebody else sent first, or that fails for any other reason, does not matter: the transfer after
    /// it decides by the allowance that is there (R5).
    function _permit(WalletConfig memory cfg, address buyer, PermitSignature calldata p) private {
        if (p.deadline == 0) return;
        try IERC20Permit(cfg.parameters.token).permit(buyer, address(this), p.value, p.deadline, p.v, p.r, p.s) {}
            catch {}
    }

    function _collect(WalletConfig memory cfg, DealTerms calldata terms) private {
        IERC20 token_ = IERC20(cfg.parameters.token);
        uint256 held = token_.balanceOf(address(this));
        // SAFETY: `from` is who signed these very terms, and `to` is where only these terms take it from.
        token_.safeTransferFrom(terms.buyer, address(this), terms.cap);
        // INVARIANT: what a deal may pay out came in for it; a token that keeps a fee would pay with another buyer's cap.
        uint256 arrived = token_.balanceOf(address(this)) - held;
        if (arrived != terms.cap) revert CapIncomplete(arrived, terms.cap);
    }

    function _settle(
        WalletConfig memory cfg,
        DealTerms calldata terms,
        DealId dealId,
        Deal storage deal_,
        bool confirmed
    ) private {
        uint128 payment = Amounts.paymentDown(terms.cap, deal_.cuTotal, terms.pricePerPu);
        uint128 royalty = Amounts.royaltyDown(payment, terms.royaltyPerMille);
        deal_.state = DealState.Settled;
        _ledger.release(terms);
        emit DealSettled(dealId, terms.buyer, payment, royalty, terms.cap - payment, confirmed);
        _divide(cfg, terms, payment, royalty);
    }

    function _cancel(WalletConfig memory cfg, DealTerms calldata terms, DealId dealId, uint128 payment) private {
        uint128 royalty = Amounts.royaltyDown(payment, terms.royaltyPerMille);
        _deals[dealId].state = DealState.Cancelled;
        _ledger.release(terms);
        emit DealCancelled(dealId, terms.buyer, payment, royalty, terms.cap - payment);
        _divide(cfg, terms, payment, royalty);
    }

    function _refund(WalletConfig memory cfg, DealTerms calldata terms, DealId dealId, Deal storage deal_) private {
        deal_.state = DealState.Refunded;
        _ledger.release(terms);
        emit DealRefunded(dealId, terms.buyer, terms.cap);
        _divide(cfg, terms, 0, 0);
    }

    /// @dev The author's and the buyer's parts leave; the hub's stays, unless the hub was banned.
    function _divide(WalletConfig memory cfg, DealTerms calldata terms, uint128 payment, uint128 royalty) private {
        _send(cfg, terms.royaltyTo, royalty);
        _send(cfg, terms.buyer, terms.cap - payment);
        if (state == WalletState.Punished) _expropriateFree(cfg);
    }

    function _refute(WalletConfig memory cfg, DealTerms calldata terms, DealId dealId, Deal storage deal_) private {
        uint128 compensation = Amounts.compensationDown(terms.guarantee, cfg.parameters.lockPercent);
        deal_.state = DealState.Refuted;
        _ledger.release(terms);
        emit DealRefuted(dealId, terms.buyer, msg.sender, terms.cap, terms.guarantee, compensation);
        // INVARIANT: the buyer may be the hub itself, so this pays it less than a payout would, for ever (HW-18).
        _send(cfg, cfg.parameters.treasury, terms.guarantee - compensation);
        _send(cfg, terms.buyer, uint256(terms.cap) + compensation);
    }

    function _bill(DealTerms calldata terms, DealId dealId, Deal storage deal_)
        private
        view
        returns (PostedBill memory)
    {
        return PostedBill({
            dealId: dealId,
            jobRoot: terms.jobRoot,
            resultRoot: deal_.resultRoot,
            unitCount: terms.unitCount,
            cuTotal: deal_.cuTotal
        });
    }
}
